package journal

import "entrepot/queue"

// pending is what was applied and has no rows yet, where the Machine does not
// keep it: declarations and modifications. The store keeps two of them: one
// that Apply fills, and one that a spill is committing. Readers look into the
// first, the second, and then the rows.
type pending struct {
	names    map[string]queue.ID // declared
	declared map[queue.ID]declaration
	specs    map[queue.ID][]byte // updated, but not declared, since
	modified modifications
}

// modifications are what Modify records said, by message.
type modifications map[queue.Ref]modification

type declaration struct {
	name string
	spec []byte
}

func newPending() *pending {
	return &pending{
		names:    map[string]queue.ID{},
		declared: map[queue.ID]declaration{},
		specs:    map[queue.ID][]byte{},
		modified: modifications{},
	}
}

// declare copies: the record aliases its pack.
func (p *pending) declare(q queue.ID, name, spec []byte) {
	d := declaration{name: string(name), spec: clone(spec)}
	p.names[d.name] = q
	p.declared[q] = d
}

func (p *pending) update(q queue.ID, spec []byte) {
	if d, ok := p.declared[q]; ok {
		d.spec = clone(spec)
		p.declared[q] = d
		return
	}
	p.specs[q] = clone(spec)
}

// drop forgets a queue that was deleted.
func (p *pending) drop(q queue.ID) {
	if d, ok := p.declared[q]; ok {
		if p.names[d.name] == q {
			delete(p.names, d.name)
		}
		delete(p.declared, q)
	}
	delete(p.specs, q)
}

// modify notes a Modify record. Without annotations it leaves those that an
// earlier one gave, wherever they are by now. The count does not fall: what an earlier
// leader has proposed may be applied behind what the next one has.
func (p *pending) modify(at queue.Ref, count uint32, annotations []byte) {
	m, ok := p.modified[at]
	m.count = max(m.count, count)
	if len(annotations) > 0 {
		m.annotations, m.inherits = clone(annotations), false
	} else if !ok {
		m.inherits = true
	}
	p.modified[at] = m
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }
