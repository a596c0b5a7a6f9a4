package queue

import "unsafe"

// stateSize is what a queue at rest costs in the slab.
const stateSize = unsafe.Sizeof(State{})
