package mesh

import (
	"encoding/binary"
	"errors"
	"time"
)

var (
	errSilent   = errors.New("silent for too long")
	errOneWay   = errors.New("nothing that we send is answered")
	errReplaced = errors.New("replaced by a newer connection")
	errDropped  = errors.New("dropped")
)

// patience is how many times DeadAfter the peer may leave a ping unanswered while we
// still hear from it: a slow line with full queues is not dead.
const patience = 3

// ping asks the peer every PingEvery whether it is there. Nothing heard for DeadAfter,
// or no answer for much longer, ends the session.
//
//	ping, pong: token u64, the nanoseconds since the session began at the asker
func (s *session) ping() {
	defer s.threads.Done()
	tick := time.NewTicker(s.mesh.cfg.PingEvery)
	defer tick.Stop()
	heard, heardAt, token := uint64(0), s.began, make([]byte, 8)
	for {
		binary.BigEndian.PutUint64(token, uint64(time.Since(s.began)))
		_ = s.send(header{kind: kindPing, class: urgent}, [][]byte{token})
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.fail(ErrClosed) // the Mesh's end is the session's
			return
		}
		now := time.Now()
		if n := s.heard.Load(); n != heard {
			heard, heardAt = n, now
		}
		switch {
		case now.Sub(heardAt) >= s.mesh.cfg.DeadAfter:
			s.fail(errSilent)
			return
		case now.Sub(s.began)-time.Duration(s.answered.Load()) >= patience*s.mesh.cfg.DeadAfter:
			s.fail(errOneWay)
			return
		}
	}
}

// pong takes the answer to a ping.
func (s *session) pong(token []byte) error {
	if len(token) != 8 {
		return errProtocol
	}
	asked := binary.BigEndian.Uint64(token)
	since := time.Since(s.began)
	if asked > uint64(since) {
		return errProtocol
	}
	s.answered.Store(int64(asked))
	s.rtt.Store(max(int64(since)-int64(asked), 1))
	return nil
}
