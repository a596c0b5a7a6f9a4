package journal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"entrepot/queue"
)

// Names are in N rows (by name) and I rows (by queue) only, and in pending as
// long as those are not written. A row may outlive its queue for a moment:
// what it says counts only if the Machine has the queue.

// Declared is one row of List.
type Declared struct {
	Queue queue.ID
	Name  string
	Spec  []byte
	State queue.State
}

// Lookup finds a declaration. spec is the caller's.
//
// Errors: *CorruptionError, and what Pebble says of the disk.
func (s *Shard) Lookup(name string) (q queue.ID, spec []byte, ok bool, err error) {
	s.flip.RLock()
	defer s.flip.RUnlock()
	err = s.whileNoRoundEnds(func() (then func(), err error) {
		s.mu.Lock()
		q, spec, ok = s.pendingName(name)
		s.mu.Unlock()
		if ok {
			return func() {}, nil
		}
		var found queue.ID
		found, spec, err = s.nameRow(s.space.nameKey(nil, name))
		return func() {
			if _, ok = s.machine.Queue(found); ok {
				q, spec = found, s.newestSpec(found, spec)
			}
		}, err
	})
	if err != nil {
		return 0, nil, false, fmt.Errorf("journal: look up %q: %w", name, s.found(err))
	}
	if !ok {
		return 0, nil, false, nil
	}
	return q, clone(spec), true, nil
}

// whileNoRoundEnds reads rows by f, and then what is pending by the function
// that f gives, under the lock. A round that ends in between has moved things
// from pending to rows that were read before: then both are read again.
func (s *Shard) whileNoRoundEnds(f func() (then func(), err error)) error {
	for {
		s.mu.Lock()
		before := s.rounds
		s.mu.Unlock()
		then, err := f()
		if err != nil {
			return err
		}
		s.mu.Lock()
		same := s.rounds == before
		if same {
			then()
		}
		s.mu.Unlock()
		if same {
			return nil
		}
	}
}

// nameRow reads an N row; q is 0 if there is none.
func (s *Shard) nameRow(key []byte) (q queue.ID, spec []byte, err error) {
	_, err = s.store.db.get(key, func(v []byte) (err error) {
		q, spec, err = decodeNameValue(key, v)
		spec = clone(spec)
		return err
	})
	return q, spec, err
}

// pendingName finds a declaration that has no row yet. REQUIRES: s.mu.
func (s *Shard) pendingName(name string) (q queue.ID, spec []byte, ok bool) {
	for _, p := range s.generations() {
		q, ok := p.names[name]
		if !ok {
			continue
		}
		if _, ok := s.machine.Queue(q); ok {
			return q, s.newestSpec(q, p.declared[q].spec), true
		}
	}
	return 0, nil, false
}

// newestSpec gives the specification of q, if there is a newer one than the
// one that was found. REQUIRES: s.mu.
func (s *Shard) newestSpec(q queue.ID, found []byte) []byte {
	for _, p := range s.generations() {
		if spec, ok := p.specs[q]; ok {
			return spec
		}
		if d, ok := p.declared[q]; ok {
			return d.spec
		}
	}
	return found
}

// Name gives the name of q, ErrNotFound if there is no such queue.
func (s *Shard) Name(q queue.ID) (string, error) {
	s.flip.RLock()
	defer s.flip.RUnlock()
	s.mu.Lock()
	_, ok := s.machine.Queue(q)
	for _, p := range s.generations() {
		if d, found := p.declared[q]; found && ok {
			s.mu.Unlock()
			return d.name, nil
		}
	}
	s.mu.Unlock()
	if !ok {
		return "", ErrNotFound
	}
	name, err := s.store.getPlain(s.space.queueKey(nil, kindID, q))
	return string(name), s.found(err)
}

// List gives, in the order of names, up to limit queues whose name begins with
// prefix and is greater than after.
//
// Errors: *CorruptionError, and what Pebble says of the disk.
func (s *Shard) List(prefix, after string, limit int) ([]Declared, error) {
	s.flip.RLock()
	defer s.flip.RUnlock()
	var out []Declared
	err := s.whileNoRoundEnds(func() (then func(), err error) {
		fresh := s.listPending(prefix, after)
		rows, err := s.listRows(prefix, after, limit, len(fresh))
		return func() { out = s.merge(append(fresh, rows...), limit) }, err
	})
	return out, s.found(err)
}

// merge sorts what List has found, leaves out what is twice or gone, and
// completes the rest. REQUIRES: s.mu.
func (s *Shard) merge(found []Declared, limit int) []Declared {
	slices.SortStableFunc(found, func(a, b Declared) int { return strings.Compare(a.Name, b.Name) })
	var out []Declared
	for _, d := range found {
		if len(out) == limit {
			break
		}
		if n := len(out); n > 0 && out[n-1].Name == d.Name {
			continue // pending, and in the rows of a round that goes on
		}
		var ok bool
		if d.State, ok = s.machine.Queue(d.Queue); ok {
			d.Spec = clone(s.newestSpec(d.Queue, d.Spec))
			out = append(out, d)
		}
	}
	return out
}

// listPending gives the declarations without rows that List wants.
func (s *Shard) listPending(prefix, after string) []Declared {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Declared
	for _, p := range s.generations() {
		for name, q := range p.names {
			if strings.HasPrefix(name, prefix) && name > after {
				out = append(out, Declared{Queue: q, Name: name, Spec: p.declared[q].spec})
			}
		}
	}
	return out
}

// listRows gives as many live rows as List may need.
func (s *Shard) listRows(prefix, after string, limit, extra int) ([]Declared, error) {
	lower := s.space.nameKey(nil, prefix)
	upper := prefixEnd(lower)
	if from := append(s.space.nameKey(nil, after), 0); after != "" && string(from) > string(lower) {
		lower = from
	}
	if string(lower) >= string(upper) {
		return nil, nil
	}
	it, err := s.store.db.newIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("journal: list: %w", err)
	}
	defer it.Close()
	var out []Declared
	for ok := it.First(); ok && len(out) < limit+extra; ok = it.Next() {
		q, spec, err := decodeNameValue(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		if _, alive := s.Queue(q); alive {
			out = append(out, Declared{Queue: q, Name: string(it.Key()[spaceLen:]), Spec: clone(spec)})
		}
	}
	if err := it.Error(); err != nil {
		return nil, readError(lower, err)
	}
	return out, nil
}
