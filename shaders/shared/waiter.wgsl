// One box may wait for the one that blocks it: then it is in no list and costs nothing until that one is decided,
// which lists it again. A word per blocker: the entry of the waiter + 1, which is the largest of those blocked, and
// WAITS once it has left the list.
const NOBODY: u32 = 0u;
const WAITS: u32 = 0x80000000u;
const DECIDED: u32 = 0x40000000u; // the blocker is decided: too late to wait for it
