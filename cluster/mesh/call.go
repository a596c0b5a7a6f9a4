package mesh

import (
	"context"
	"encoding/binary"
	"fmt"
)

// The bodies of calls and their answers, which are the answers of streams too. id is
// the asker's, and never used again in the session.
//
//	call      id u64 │ length u8, method │ request
//	cancel    id u64
//	answer    id u64 │ status u8 │ the answer, or the text of the error

const (
	statusOK    = 0
	statusError = 1

	// mostServed bounds the calls and streams of one peer that are served at a time.
	mostServed = 1024
)

// request is a call or a stream of ours that waits for its answer.
type request struct {
	method string
	answer chan answer // holds one, so that the reader never waits
	credit *credit     // of a stream; nil: a call
}

type answer struct {
	data []byte
	err  error
}

// served is a call or stream of the peer that a handler works at.
type served struct {
	cancel context.CancelFunc
	in     *inStream // nil: a call
}

// abort lets the handler know that nobody waits for it any more.
func (v *served) abort(why error) {
	if v.in != nil {
		v.in.end(why)
	}
	v.cancel()
}

// ask registers a request of ours.
func (s *session) ask(r *request) (id uint64, err error) {
	if len(r.method) > 255 {
		return 0, fmt.Errorf("mesh: the name of a method has at most 255 bytes, not %d", len(r.method))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, ErrNotConnected
	}
	s.nextID++
	s.asked[s.nextID] = r
	return s.nextID, nil
}

// forget says that nobody waits for the answer any more.
func (s *session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asked, id)
}

// call is Call in this session.
func (s *session) call(ctx context.Context, method string, req []byte) ([]byte, error) {
	r := &request{method: method, answer: make(chan answer, 1)}
	id, err := s.ask(r)
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	if err := s.send(header{kind: kindCall, class: normal}, [][]byte{appendCall(nil, id, method), req}); err != nil {
		return nil, err
	}
	select {
	case a := <-r.answer:
		return a.data, a.err
	case <-ctx.Done():
		_ = s.send(header{kind: kindCancel, class: normal}, [][]byte{binary.BigEndian.AppendUint64(nil, id)})
		return nil, ctx.Err()
	}
}

func appendCall(b []byte, id uint64, method string) []byte {
	b = binary.BigEndian.AppendUint64(b, id)
	b = append(b, byte(len(method)))
	return append(b, method...)
}

func readCall(b []byte) (id uint64, method string, rest []byte, err error) {
	if len(b) < 9 || len(b) < 9+int(b[8]) {
		return 0, "", nil, errProtocol
	}
	n := 9 + int(b[8])
	return binary.BigEndian.Uint64(b), string(b[9:n]), b[n:], nil
}

// control takes everything that is not a message on a channel.
func (s *session) control(m message) error {
	if len(m.data) < 8 { // a token or an id begins each
		return errProtocol
	}
	id := binary.BigEndian.Uint64(m.data)
	switch m.kind {
	case kindPing:
		_ = s.send(header{kind: kindPong, class: urgent}, [][]byte{m.data})
		return nil
	case kindPong:
		return s.pong(m.data)
	case kindCall:
		return s.serveCall(m.data)
	case kindStream:
		return s.serveStream(m.data)
	case kindAnswer:
		return s.settle(id, m.data[8:])
	case kindStreamCredit:
		return s.credited(id, m.data[8:])
	case kindCancel, kindStreamData, kindStreamEnd, kindStreamAbort:
		s.mu.Lock()
		v := s.serving[id]
		s.mu.Unlock()
		if v == nil {
			return nil // its handler has returned meanwhile
		}
		return v.take(m.kind, m.data[8:])
	}
	return fmt.Errorf("%w: kind %d", errProtocol, m.kind)
}

// settle gives an answer to whoever waits for it.
func (s *session) settle(id uint64, b []byte) error {
	if len(b) < 1 {
		return errProtocol
	}
	s.mu.Lock()
	r := s.asked[id]
	delete(s.asked, id)
	s.mu.Unlock()
	if r == nil {
		return nil // given up
	}
	if b[0] == statusOK {
		r.answer <- answer{data: b[1:]}
	} else {
		r.answer <- answer{err: &RemoteError{Peer: s.id.ID, Method: r.method, Text: string(b[1:])}}
	}
	return nil
}

// take is what the asker says about a request that is being served.
func (v *served) take(k kind, body []byte) error {
	switch {
	case k == kindCancel:
		v.abort(context.Canceled)
		return nil
	case v.in == nil:
		return errProtocol
	case k == kindStreamData:
		return v.in.add(body)
	case k == kindStreamEnd:
		v.in.finish()
		return nil
	}
	v.abort(fmt.Errorf("mesh: the sender has given up: %s", body))
	return nil
}

// serve registers a request of the peer and runs f, or refuses.
func (s *session) serve(id uint64, in *inStream, f func(ctx context.Context) ([]byte, error)) error {
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		cancel()
		return s.err
	}
	_, twice := s.serving[id]
	full := len(s.serving) >= mostServed
	if !twice && !full {
		s.serving[id] = &served{cancel: cancel, in: in}
	}
	s.mu.Unlock()
	if twice || full {
		cancel()
		if twice {
			return errProtocol
		}
		s.reply(id, nil, fmt.Errorf("more than %d requests at a time", mostServed))
		return nil
	}
	s.mesh.threads.Add(1) // the reader holds one itself
	go func() {
		defer s.mesh.threads.Done()
		data, err := f(ctx)
		cancel()
		s.mu.Lock()
		delete(s.serving, id)
		s.mu.Unlock()
		s.reply(id, data, err)
	}()
	return nil
}

func (s *session) serveCall(b []byte) error {
	id, method, req, err := readCall(b)
	if err != nil {
		return err
	}
	f := s.mesh.calls[method]
	if f == nil {
		s.reply(id, nil, fmt.Errorf("no such call"))
		return nil
	}
	return s.serve(id, nil, func(ctx context.Context) ([]byte, error) { return f(ctx, s.id, req) })
}

// reply answers a request of the peer. That the connection is over is no fault.
func (s *session) reply(id uint64, data []byte, err error) {
	head := append(binary.BigEndian.AppendUint64(nil, id), statusOK)
	if len(data) > MaxMessage-len(head) {
		err = ErrTooBig
	}
	if err != nil {
		head[8], data = statusError, []byte(err.Error())
	}
	_ = s.send(header{kind: kindAnswer, class: normal}, [][]byte{head, data})
}
