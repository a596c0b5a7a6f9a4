package queue

// slab holds the states of all queues by id, in blocks, so that a million
// queues need neither a map nor a copy when one more comes. A block whose
// queues are all deleted goes. Ids are handed out one by one, so blocks are
// full but for deleted queues.
type slab struct {
	blocks []*slabBlock
	n      int // states that exist
}

const slabBlockLen = 512

type slabBlock struct {
	states [slabBlockLen]State
	n      int // states that exist
}

// get is the state of q, nil if there is none.
func (s *slab) get(q ID) *State {
	i := int(q / slabBlockLen)
	if i >= len(s.blocks) || s.blocks[i] == nil {
		return nil
	}
	st := &s.blocks[i].states[q%slabBlockLen]
	if st.flags&stateExists == 0 {
		return nil
	}
	return st
}

// add makes the state of q. REQUIRES: there is none.
func (s *slab) add(q ID, st State) *State {
	i := int(q / slabBlockLen)
	for i >= len(s.blocks) {
		s.blocks = append(s.blocks, nil)
	}
	if s.blocks[i] == nil {
		s.blocks[i] = new(slabBlock)
	}
	b := s.blocks[i]
	b.n++
	s.n++
	st.flags |= stateExists
	b.states[q%slabBlockLen] = st
	return &b.states[q%slabBlockLen]
}

// remove takes the state of q out. REQUIRES: there is one.
func (s *slab) remove(q ID) {
	b := s.blocks[q/slabBlockLen]
	b.states[q%slabBlockLen] = State{}
	b.n--
	s.n--
	if b.n == 0 {
		s.blocks[q/slabBlockLen] = nil
	}
}

// each calls f for each state in the order of ids until it says false.
func (s *slab) each(f func(ID, *State) bool) {
	for i, b := range s.blocks {
		if b == nil {
			continue
		}
		for j := range b.states {
			if b.states[j].flags&stateExists == 0 {
				continue
			}
			if !f(ID(i*slabBlockLen+j), &b.states[j]) {
				return
			}
		}
	}
}
