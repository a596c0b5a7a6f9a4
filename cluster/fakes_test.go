package cluster

import (
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/journal"
	"entrepot/queue"
)

// memLog is a log in memory that keeps its promises, until it is told to fail.
// It is the disk: what is in it survives a restart of the group.
type memLog struct {
	mu       sync.Mutex
	first    uint64
	entries  []journal.Entry
	marks    map[string][]byte
	keep     func() uint64               // K: what DeleteRange must leave
	onAppend func([]journal.Entry) error // called before an append, unlocked
}

// weather sets what a running log does before it appends.
func (l *memLog) weather(f func([]journal.Entry) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onAppend = f
}

func newMemLog() *memLog { return &memLog{first: 1, marks: map[string][]byte{}} }

func (l *memLog) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return 0
	}
	return l.first
}

func (l *memLog) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last()
}

func (l *memLog) last() uint64 {
	if len(l.entries) == 0 {
		return 0
	}
	return l.first + uint64(len(l.entries)) - 1
}

func (l *memLog) Get(index uint64, e *journal.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 || index < l.first || index > l.last() {
		return journal.ErrNotFound
	}
	*e = l.entries[index-l.first]
	return nil
}

func (l *memLog) Append(entries []journal.Entry) error {
	l.mu.Lock()
	f := l.onAppend
	l.mu.Unlock()
	if f != nil {
		if err := f(entries); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		l.first = entries[0].Index
	}
	l.entries = append(l.entries, entries...)
	return nil
}

func (l *memLog) DeleteRange(lo, hi uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 || hi < l.first || lo > l.last() {
		return nil
	}
	if lo > l.first {
		if hi >= l.last() { // a suffix
			l.entries = l.entries[: lo-l.first : lo-l.first]
		}
		return nil
	}
	hi = min(hi, l.last())
	if l.keep != nil {
		hi = min(hi, l.keep())
	}
	if hi < l.first {
		return nil
	}
	n := hi - l.first + 1
	l.entries, l.first = append([]journal.Entry(nil), l.entries[n:]...), hi+1
	return nil
}

// memMarks are the marks beside a memLog.
type memMarks struct{ l *memLog }

func (m memMarks) Get(name string) ([]byte, error) {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	if v, ok := m.l.marks[name]; ok {
		return v, nil
	}
	return nil, journal.ErrNotFound
}

func (m memMarks) Set(name string, v []byte) error {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.l.marks[name] = v
	return nil
}

func (m memMarks) Delete(name string) error {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	delete(m.l.marks, name)
	return nil
}

// listFSM remembers every pack it was given. It answers with a reply for every
// record that begins a queue, so that both kinds of answers occur.
type listFSM struct {
	mu       sync.Mutex
	k        uint64 // AppliedIndex before the first Apply
	indexes  []uint64
	enqueued []string // payloads in order
	replies  func(rec *queue.Record, i int) (queue.Reply, bool)
	onApply  func()
	broken   error // what Apply answers when it is set
}

func (f *listFSM) AppliedIndex() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.indexes); n > 0 {
		return f.indexes[n-1]
	}
	return f.k
}

func (f *listFSM) Apply(index uint64, data []byte) (Result, error) {
	if f.onApply != nil {
		f.onApply()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return Result{}, f.broken
	}
	if n := len(f.indexes); index <= f.k || n > 0 && index <= f.indexes[n-1] {
		return Result{}, nil
	}
	f.indexes = append(f.indexes, index)
	r, err := queue.OpenPack(data)
	if err != nil {
		panic(err)
	}
	var all []queue.Reply
	var rec queue.Record
	for i := 0; ; i++ {
		more, err := r.Next(&rec)
		if err != nil {
			panic(err)
		}
		if !more {
			return Result{Replies: all}, nil
		}
		f.enqueued = append(f.enqueued, string(rec.Payload))
		if f.replies == nil {
			continue
		}
		if reply, ok := f.replies(&rec, i); ok {
			for len(all) < int(r.Header().Count) {
				all = append(all, queue.Reply{})
			}
			all[i] = reply
		}
	}
}

func (f *listFSM) payloads() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.enqueued...)
}

// told is what a waiter heard about one token.
type told struct {
	result *queue.Reply
	err    error
}

// recorder is a Waiter that remembers everything and counts down.
type recorder struct {
	mu    sync.Mutex
	told  map[uint64][]told
	order []uint64
	calls int
	left  sync.WaitGroup
}

func newRecorder() *recorder { return &recorder{told: map[uint64][]told{}} }

func (r *recorder) Done(tokens []uint64, results []queue.Reply, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	for i, t := range tokens {
		x := told{err: err}
		if results != nil {
			reply := results[i]
			x.result = &reply
		}
		r.told[t] = append(r.told[t], x)
		r.order = append(r.order, t)
		r.left.Done()
	}
}

// enqueue puts one message into the batcher and lets r wait for it.
func (r *recorder) enqueue(b *Batcher, token uint64, payload string) {
	r.add(b, token, payload)
	b.End()
}

func (r *recorder) add(b *Batcher, token uint64, payload string) {
	r.left.Add(1)
	p := b.Begin(len(payload))
	p.Builder.Enqueue(1, 0, 0, []byte(payload))
	p.Wait(r, token)
}

// errs returns what each token was told, and checks that it was told once.
func (r *recorder) errs(t testing.TB) map[uint64]error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := map[uint64]error{}
	for token, all := range r.told {
		require.Len(t, all, 1, "token %d is told exactly once", token)
		errs[token] = all[0].err
	}
	return errs
}

// quiet is a logger for tests.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// testConfig is a group in a directory of its own.
func testConfig(t testing.TB, fsm FSM) Config {
	return Config{
		NodeID: "n1", Dir: t.TempDir(), FSM: fsm, Logger: quiet(),
		HeartbeatTimeout: time.Second, ElectionTimeout: time.Second,
	}
}
