package journal

// Setting is the value of a setting of the cluster; it must not be changed.
func (s *Shard) Setting(key string) (value []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value = s.machine.Setting(key)
	return value, value != nil
}

// EachSetting calls f for each setting, as they were at one moment, in the
// order of keys until it says false. The values must not be changed.
func (s *Shard) EachSetting(f func(key string, value []byte) bool) {
	type setting struct {
		key   string
		value []byte
	}
	var all []setting
	s.mu.Lock()
	s.machine.EachSetting(func(key string, value []byte) bool {
		all = append(all, setting{key, value})
		return true
	})
	s.mu.Unlock()
	for _, x := range all {
		if !f(x.key, x.value) {
			return
		}
	}
}

// keptChecks is how many answers to Check records a shard remembers.
const keptChecks = 64

// check is the hash of the state that a Check record found.
type check struct{ index, hash uint64 }

// CheckAt is the hash of the state that the Check record in the entry at index
// found, the last one if there are several: the same on every replica. ok is
// false if there is none, it was too many ago, or before this process began.
func (s *Shard) CheckAt(index uint64) (hash uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.checks) - 1; i >= 0; i-- {
		if s.checks[i].index == index {
			return s.checks[i].hash, true
		}
	}
	return 0, false
}

// noteCheck answers a Check record. It costs O(queues). REQUIRES: s.mu.
func (s *Shard) noteCheck(index uint64) {
	if len(s.checks) == keptChecks {
		s.checks = append(s.checks[:0], s.checks[1:]...)
	}
	s.checks = append(s.checks, check{index, s.machine.Hash()})
}

// OriginSeq is the number of the last pack of an origin that was applied; see
// queue.Machine.BeginPack.
func (s *Shard) OriginSeq(node uint64) (last uint64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.OriginSeq(node)
}

// ClearActive ends the events of all queues: the term of the dispatcher that
// wanted them is over.
func (s *Shard) ClearActive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.active)
}
