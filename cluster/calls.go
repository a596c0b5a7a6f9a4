package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrepot/cluster/mesh"
)

// Calls between nodes are JSON both ways: they are rare, and a release that says
// more is understood by one that knows less. An error of one of our kinds keeps
// its kind on the way: its text begins with a word of wireErrors.

// wireErrors are the kinds that callers tell apart.
var wireErrors = []struct {
	word string
	kind error
}{
	{"not-leader", ErrNotLeader},
	{"not-found", ErrNotFound},
	{"invalid", ErrInvalid},
	{"conflict", ErrConflict},
	{"unavailable", ErrUnavailable},
	{"refused", ErrRefused},
}

func encodeError(err error) error {
	for _, w := range wireErrors {
		if errors.Is(err, w.kind) {
			text := strings.TrimPrefix(err.Error(), w.kind.Error())
			return errors.New(w.word + ": " + strings.TrimPrefix(text, ": "))
		}
	}
	return err
}

func decodeError(err error) error {
	var remote *mesh.RemoteError
	if !errors.As(err, &remote) {
		return err
	}
	word, text, _ := strings.Cut(remote.Text, ": ")
	for _, w := range wireErrors {
		if word == w.word {
			return fmt.Errorf("%w: %s", w.kind, text)
		}
	}
	return err
}

// localCall answers a method on this node itself.
type localCall func(ctx context.Context, from string, req []byte) ([]byte, error)

// handle registers who answers a method, for peers and for this node.
func handle[Q, R any](n *Node, method string, f func(ctx context.Context, from string, req Q) (R, error)) {
	answer := func(ctx context.Context, from string, raw []byte) ([]byte, error) {
		var req Q
		if err := json.Unmarshal(raw, &req); err != nil {
			return nil, fmt.Errorf("%w: %s: %v", ErrInvalid, method, err)
		}
		r, err := f(ctx, from, req)
		if err != nil {
			return nil, err
		}
		return json.Marshal(r)
	}
	n.calls[method] = answer
	n.mesh.HandleCall(method, func(ctx context.Context, from mesh.Peer, raw []byte) ([]byte, error) {
		r, err := answer(ctx, from.ID, raw)
		if err != nil {
			return nil, encodeError(err)
		}
		return r, nil
	})
}

// ask calls a method of a peer, or of this node.
func ask[R any](ctx context.Context, n *Node, peer, method string, req any) (r R, err error) {
	raw, err := json.Marshal(req)
	if err != nil {
		return r, err
	}
	var answer []byte
	if peer == n.cfg.ID {
		answer, err = n.calls[method](ctx, peer, raw)
	} else {
		answer, err = n.mesh.Call(ctx, peer, method, raw)
		err = decodeError(err)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("cluster: answer of %s to %s: %w", peer, method, err)
	}
	return r, nil
}

// leaderPatience is how long a leader is looked for: two elections and more.
const leaderPatience = 15 * time.Second

// retryEvery is how often what may change by itself is looked at again.
const retryEvery = 100 * time.Millisecond

// askLeader calls a method of whoever leads a shard, again after a change of leader.
// REQUIRES: to do it twice does no harm. Errors: those of the handler,
// ErrUnavailable.
func askLeader[R any](ctx context.Context, n *Node, shard uint16, method string, req any) (r R, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaderPatience)
	defer cancel()
	last := errors.New("nobody leads it")
	for {
		if leader := n.leaderOf(shard); leader != "" {
			r, err = ask[R](ctx, n, leader, method, req)
			if !elsewhere(err) {
				return r, err
			}
			last = err
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("%w: shard %d: %v", ErrUnavailable, shard, last)
		case <-time.After(retryEvery):
		}
	}
}

// elsewhere: the call may succeed with another leader, or when there is one.
func elsewhere(err error) bool {
	return errors.Is(err, ErrNotLeader) || errors.Is(err, mesh.ErrNotConnected) ||
		errors.Is(err, mesh.ErrLost) || errors.Is(err, ErrStopped) || errors.Is(err, context.DeadlineExceeded)
}
