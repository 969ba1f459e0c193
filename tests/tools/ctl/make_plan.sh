#!/usr/bin/env bash
# Prints a pretix seating plan of any size: make_plan.sh SEATS [ZONES] [SEATS_PER_ROW] > plan.json
set -euo pipefail
seats=${1:?"make_plan.sh SEATS [ZONES] [SEATS_PER_ROW]"}
zones=${2:-10}
per_row=${3:-40}
awk -v seats="$seats" -v zones="$zones" -v per_row="$per_row" 'BEGIN {
  printf "{\"name\": \"Plan of %d seats\", \"size\": {\"width\": 4000, \"height\": 4000},\n", seats
  printf " \"categories\": [{\"name\": \"Front\", \"color\": \"#cc3333\"}, {\"name\": \"Back\", \"color\": \"#3333cc\"}],\n"
  printf " \"zones\": ["
  made = 0
  for (z = 1; z <= zones && made < seats; ++z) {
    want = int((seats * z + zones - 1) / zones) - made
    printf "%s\n  {\"name\": \"Zone %d\", \"zone_id\": \"z%d\", \"position\": {\"x\": 0, \"y\": %d}, \"areas\": [],\n   \"rows\": [", (z > 1 ? "," : ""), z, z, z * 400
    for (r = 1; want > 0; ++r) {
      count = want < per_row ? want : per_row
      printf "%s\n    {\"row_number\": \"%d\", \"row_number_position\": \"both\", \"position\": {\"x\": 0, \"y\": %d}, \"seats\": [", (r > 1 ? "," : ""), r, r * 25
      for (s = 1; s <= count; ++s)
        printf "%s\n     {\"seat_guid\": \"z%d-%d-%d\", \"seat_number\": \"%d\", \"radius\": 10, \"category\": \"%s\", \"position\": {\"x\": %d, \"y\": 0}}", (s > 1 ? "," : ""), z, r, s, s, (r <= 5 ? "Front" : "Back"), s * 25
      printf "]}"
      want -= count
      made += count
    }
    printf "]}"
  }
  printf "]}\n"
}'
