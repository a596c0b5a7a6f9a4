package queue

import "testing"

func TestSmoke(t *testing.T) {
	m := NewMachine()
	var b PackBuilder
	b.Reset(nil)
	b.Declare(1, "a", []byte("spec"))
	for i := 0; i < 10000; i++ {
		b.Enqueue(1, 5, 0, []byte("he"), []byte("llo"))
	}
	b.Remove(1, Settled, []Run{{2, 4095 * 2, 5 * 4095 * 2}})
	b.Remove(1, Settled, []Run{{1, 1, 5}})
	b.Mark(1, 9000, 3)
	r, err := OpenPack(b.Finish(77))
	if err != nil {
		t.Fatal(err)
	}
	var rec Record
	for {
		more, err := r.Next(&rec)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		m.Apply(&rec, 77)
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%+v", m.Totals())
	m.TakeDirty(func(q ID, s *State, p []PageNo) { t.Log(q, s, p) })
}
