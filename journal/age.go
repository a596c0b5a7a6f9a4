package journal

import "entrepot/queue"

// OldestArrival is when the oldest message came in, Unix milliseconds; ok is false
// if there is none. It looks at the first message of up to sample queues that have
// any: with more of them the answer is the oldest of those.
//
// It costs a look at every queue's state, and a read for each of the sample.
// Errors: those of Load.
func (s *Shard) OldestArrival(sample int) (millis int64, ok bool, err error) {
	for _, head := range s.heads(sample) {
		loaded, err := s.Load(head.Queue, head.Seq, 1, 1, nil)
		if err != nil {
			return 0, false, err
		}
		for i := range loaded.Messages {
			if at := loaded.Messages[i].ArrivedMillis; !ok || at < millis {
				millis, ok = at, true
			}
		}
	}
	return millis, ok, nil
}

// heads gives the first messages of up to n queues that have any.
func (s *Shard) heads(n int) []queue.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	var heads []queue.Ref
	if s.machine.Totals().Count == 0 {
		return nil
	}
	s.machine.Queues(func(q queue.ID, st *queue.State) bool {
		if st.Count > 0 {
			heads = append(heads, queue.Ref{Queue: q, Seq: st.Head})
		}
		return len(heads) < n
	})
	return heads
}
