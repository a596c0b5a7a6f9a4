package cluster

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// pipeline sends AppendEntries without waiting for the answer to the one before. Two
// are enough: one is being written by the follower while the next one waits there,
// and what gathers meanwhile goes together.
type pipeline struct {
	t    *transport
	peer string
	room chan struct{} // a token per request on its way
	// ready has the answered ones. Its room is far more than are ever unread; an
	// answer beyond it breaks the pipeline.
	ready chan raft.AppendFuture

	sending sync.Mutex // who sends next
	sent    sentSoFar
	idled   bool // nothing was sent since Raft asked for nothing

	once   sync.Once
	broken chan struct{}
	err    error // why; read after broken
}

const pipelineDepth = 2

// Raft sends one request for every look at its pipeline, and looks when there is
// something new, or every CommitTimeout. A member that came back would get 32 entries
// at each: an hour for what it missed in a minute, in a cluster that has nothing to do.
// Without a pipeline Raft sends one request after the other until it is there, so
// who is so many entries behind gets none.
const pipelineBehind = 4 * applyRoom

var errBehind = errors.New("cluster: too far behind for a pipeline")

// newPipeline begins one, which early knows of until it is closed.
func newPipeline(t *transport, peer string) *pipeline {
	p := &pipeline{
		t: t, peer: peer, room: make(chan struct{}, pipelineDepth),
		ready: make(chan raft.AppendFuture, 64), broken: make(chan struct{}),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pipelines = append(slices.Clone(t.pipelines), p)
	return p
}

// appendFuture is a request that was answered when Raft gets to see it.
type appendFuture struct {
	start time.Time
	req   *raft.AppendEntriesRequest
	resp  *raft.AppendEntriesResponse
}

func (f *appendFuture) Error() error                          { return nil }
func (f *appendFuture) Start() time.Time                      { return f.start }
func (f *appendFuture) Request() *raft.AppendEntriesRequest   { return f.req }
func (f *appendFuture) Response() *raft.AppendEntriesResponse { return f.resp }

// AppendEntries sends a request when there is room, in several if it is too large: Raft
// takes the answers as they come. After any error the pipeline is broken, and Raft goes
// on without one.
func (p *pipeline) AppendEntries(r *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if closed(p.broken) {
		return nil, p.err
	}
	if p.t.followers.last() > r.PrevLogEntry+uint64(len(r.Entries))+pipelineBehind {
		return nil, errBehind
	}
	f, again, err := p.append(r, a)
	if again {
		p.rest()
	}
	return f, err
}

// append sends what is news. again: nothing was, for the second time in a row.
func (p *pipeline) append(r *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) (_ raft.AppendFuture, again bool, err error) {
	p.sending.Lock()
	defer p.sending.Unlock()
	r = p.sent.news(r)
	if p.idle(r) {
		again, p.idled = p.idled, true
		return &appendFuture{start: time.Now(), req: r, resp: a}, again, nil
	}
	for n := fits(r.Entries); n < len(r.Entries); n = fits(r.Entries) {
		part := *r
		part.Entries = r.Entries[:n]
		if _, err := p.send(&part, new(raft.AppendEntriesResponse)); err != nil {
			return nil, false, err
		}
		r = behind(r, n)
	}
	f, err := p.send(r, a)
	return f, false, err
}

// idle: a request says nothing that is not on its way already. Raft makes such ones
// when it was woken for what it has sent, and without a pause while it waits for the
// member that it hands the lead to: more than it reads answers.
func (p *pipeline) idle(r *raft.AppendEntriesRequest) bool {
	return len(r.Entries) == 0 && r.LeaderCommitIndex == p.sent.commit && len(p.room)+len(p.ready) > 0
}

// idlePause is how long Raft is kept from asking what it has just asked.
const idlePause = time.Millisecond

// rest keeps Raft from asking without a pause: that would take a processor, and in
// virtual time, which stands still meanwhile, the answer would never come.
func (p *pipeline) rest() {
	select {
	case <-time.After(idlePause):
	case <-p.broken:
	case <-p.t.ctx.Done():
	}
}

// send sends a request when there is room. REQUIRES: p.sending.
func (p *pipeline) send(r *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	select {
	case p.room <- struct{}{}:
	default:
		if err := p.await(r.Term); err != nil {
			return nil, err
		}
	}
	return p.begin(&appendFuture{start: time.Now(), req: r, resp: a})
}

// begin sends a request. REQUIRES: p.sending, and a token of p.room.
func (p *pipeline) begin(f *appendFuture) (raft.AppendFuture, error) {
	r := f.req
	p.sent.note(r)
	p.idled = false
	_, err := p.t.begin(p.peer, ChanAppend,
		func(id uint64) [][]byte { return appendParts(p.t.shard, id, p.t.clock.millis(), r) },
		func(_ kind, msg []byte, err error) { p.answered(f, msg, err) })
	if err != nil {
		p.fail(err)
		return nil, err
	}
	return f, nil
}

// await waits for room, for as long as we lead.
func (p *pipeline) await(term uint64) error {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case p.room <- struct{}{}:
			return nil
		case <-p.broken:
			return p.err
		case <-p.t.ctx.Done():
			return errClosed
		case <-look.C:
			if !p.t.leads(term) {
				p.fail(errDeposed)
				return errDeposed
			}
		}
	}
}

func (p *pipeline) answered(f *appendFuture, msg []byte, err error) {
	if err == nil {
		err = readAppended(p.peer, msg, f.resp)
	}
	if err != nil {
		p.fail(err)
		return
	}
	p.t.followers.answered(p.peer, f.req, f.resp, f.start)
	select {
	case p.ready <- f:
		<-p.room
	default:
		p.fail(errBusy)
	}
}

func (p *pipeline) fail(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.broken)
	})
}

// Consumer has the answered requests, in order.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.ready }

// Close forgets what is on its way.
func (p *pipeline) Close() error {
	p.fail(errClosed)
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	p.t.pipelines = slices.DeleteFunc(slices.Clone(p.t.pipelines), func(o *pipeline) bool { return o == p })
	return nil
}
