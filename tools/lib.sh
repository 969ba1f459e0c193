# Shared by tools/run, tools/check and tools/cluster. Sourced, not run; expects the repository's root as the current folder.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
complain() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() {
  complain "$*"
  exit 1
}

# packages_for build|check|all: "name why" per line.
packages_for() {
  local kinds=build
  case $1 in
    check) kinds='build check' ;;
    all) kinds='build check all' ;;
  esac
  local when name why
  while read -r when name why; do
    if [[ " $kinds " == *" $when "* ]]; then
      printf '%s %s\n' "$name" "$why"
    fi
  done < <(grep -Ev '^[[:space:]]*(#|$)' tools/packages)
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Prints "name why" of what is not there.
missing_packages() {
  local name why
  while read -r name why; do
    is_installed "$name" || printf '%s %s\n' "$name" "$why"
  done < <(packages_for "$1")
}

# Installs what is missing from the packages of this machine's own sources, or says what an administrator has to.
need_packages() {
  local missing names as_root=()
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    die "needs Debian 12 or later (apt-get and dpkg-query are not here); tools/packages lists what is used"
  missing=$(missing_packages "$1")
  [[ -n $missing ]] || return 0
  mapfile -t names < <(cut -d' ' -f1 <<<"$missing")
  say "These Debian packages are missing:"
  sed -E 's/^([^ ]+) (.*)$/\1\t\2/' <<<"$missing" | while IFS=$'\t' read -r name why; do
    printf '  %-24s%s\n' "$name" "$why"
  done
  if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [[ -t 0 && -t 2 ]]; }; then
      complain "there is no right to install them; ask an administrator for:"
      say "  apt-get install --no-install-recommends ${names[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  say "Installing them now."
  local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
  # Package lists may be absent or out of date: they are fetched once, when a first try shows it.
  if ! "${as_root[@]}" "${quiet[@]}" install --no-install-recommends "${names[@]}" >/dev/null 2>&1; then
    "${as_root[@]}" "${quiet[@]}" update >/dev/null || complain "the package lists could not be refreshed; trying all the same"
    "${as_root[@]}" "${quiet[@]}" install --no-install-recommends "${names[@]}" ||
      die "installing failed; the packages are: ${names[*]}"
  fi
}

# configure FOLDER OPTION...: a build folder with just these options. Cheap when it is so already.
configure() {
  local folder=$1
  shift
  local wanted="$PWD $*"
  if [[ -f $folder/build.ninja && $(cat "$folder/.configured" 2>/dev/null) == "$wanted" ]]; then
    return 0
  fi
  mkdir -p "$folder"
  if ! cmake -S . -B "$folder" -G Ninja "$@" >"$folder/configure.log" 2>&1; then
    tail -n 40 "$folder/configure.log" >&2
    die "configuring $folder failed; all of it is in $folder/configure.log"
  fi
  printf '%s\n' "$wanted" >"$folder/.configured"
}

# One job per core, fewer where memory is short: the largest files take about 1.5 GB each.
build_jobs() {
  local cores memory_mb jobs
  cores=$(nproc)
  memory_mb=$(($(awk '/^MemAvailable/ {print $2}' /proc/meminfo) / 1024))
  jobs=$((memory_mb / 1500))
  ((jobs >= 1)) || jobs=1
  ((jobs <= cores)) || jobs=$cores
  printf '%s\n' "$jobs"
}
