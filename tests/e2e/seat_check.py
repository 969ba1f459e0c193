"""Is what clients were told of one seat possible, if every operation took effect at one moment between question and answer?
After Wing and Gong, with a memory of what was tried."""

FREE = None


def operations_of_seats(history):
    """By seat: (from, to, kind, hold). Kinds: take, give, and busy (refused because the seat was taken)."""
    forever = float("inf")
    seats = {}
    note = lambda seat, *op: seats.setdefault(seat, []).append(op)
    released = {o["path"].rsplit("/", 1)[1]: o for o in history.of("release") if o["status"] == 204}
    cancelled = {o["path"].rsplit("/", 1)[1]: o for o in history.of("cancel")}
    completed = {o["token"]: o for o in history.of("complete")}
    failed = {}
    for o in history.of("settle"):
        if o["answer"]["state"] == "FAILED":
            failed.setdefault(o["answer"]["reservationId"], o)
    for o in history.of("hold"):
        if o["status"] == 409:
            named = o["answer"].get("seats", [])
            if len(named) == 1:
                note(named[0], o["asked"], o["told"], "busy", None)
            continue
        for s in o["answer"]["seats"]:
            note(s["id"], o["asked"], o["told"], "take", o["answer"]["holdId"])
    for id, h in history.holds.items():
        if id in released:
            ends = (released[id]["asked"], released[id]["told"])
        elif h["reservation"] in failed:
            ends = (h["paid"], failed[h["reservation"]]["told"])
        elif h["reservation"] in cancelled:
            ends = (cancelled[h["reservation"]]["asked"], cancelled[h["reservation"]]["told"])
        elif not h["reservation"]:
            done = completed.get(h["token"])
            gone = h.get("free_from", forever)  # a release that was told the hold is gone took effect before
            ends = (min(gone, done["asked"]) if done else gone, forever)
        else:
            continue  # sold for good
        for seat in h["seats"]:
            note(seat, *ends, "give", id)
    return seats


def is_possible(operations, most=200_000):
    """None when too much had to be tried to tell."""
    ops = sorted(operations)
    seen, stack = set(), [(0, FREE)]
    full = (1 << len(ops)) - 1
    optional = sum(1 << n for n, o in enumerate(ops) if o[1] == float("inf"))
    while stack:
        done, holder = stack.pop()
        if (done | optional) == full:
            return True
        if (done, holder) in seen:
            continue
        seen.add((done, holder))
        if len(seen) > most:
            return None
        deadline = min(o[1] for n, o in enumerate(ops) if not done >> n & 1)
        for n, (asked, told, kind, hold) in enumerate(ops):
            if done >> n & 1:
                continue
            if asked > deadline:
                break
            if kind == "take" and holder is FREE:
                stack.append((done | 1 << n, hold))
            elif kind == "give" and holder == hold:
                stack.append((done | 1 << n, FREE))
            elif kind == "busy" and holder is not FREE:
                stack.append((done | 1 << n, holder))
    return False


def self_check():
    """The checker sees what is impossible."""
    inf = float("inf")
    assert is_possible([(0, 1, "take", "a"), (2, 3, "give", "a"), (4, 5, "take", "b")])
    assert is_possible([(0, 5, "take", "a"), (1, 2, "take", "b"), (3, 4, "give", "b")])
    assert is_possible([(0, 1, "take", "a"), (2, inf, "give", "a"), (4, 5, "take", "b")])
    assert not is_possible([(0, 1, "take", "a"), (2, 3, "take", "b")])
    assert not is_possible([(0, 1, "take", "a"), (2, 3, "take", "b"), (4, 5, "give", "a")])
    assert not is_possible([(0, 1, "busy", None), (2, 3, "take", "a")])
    assert not is_possible([(0, 1, "take", "a"), (2, 3, "give", "a"), (4, 5, "busy", None)])
