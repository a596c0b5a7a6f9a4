package queue

// Marks tell the store up to where messages were delivered. A runtime lives
// until all that it delivered is marked: whoever attaches next then knows from
// the queue's state who is not the first acquirer. A leader that comes after a
// crash knows what was marked by then.

// queueMark wants a Mark for r, at most one for all inputs between two calls of
// Effects.
func (d *Dispatcher) queueMark(r *runtime) {
	if !r.markQueued {
		r.markQueued = true
		d.marks = append(d.marks, r)
	}
}

func (d *Dispatcher) flushMark(r *runtime) {
	if !r.markQueued {
		return
	}
	r.markQueued = false
	f := d.emit(EffectMark, r.q)
	f.Seq, f.Epoch = r.high, d.cfg.Epoch
}

// Marked tells that a Mark up to upTo was applied.
func (d *Dispatcher) Marked(q ID, upTo Seq) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	r.marked = max(r.marked, upTo)
	d.end(r)
}

// MarkFailed tells that a Mark will not be applied, or that nobody knows. It is
// asked for again.
func (d *Dispatcher) MarkFailed(q ID) {
	d.begin()
	if r := d.runtimes[q]; r != nil && r.high > r.marked {
		d.queueMark(r)
	}
}
