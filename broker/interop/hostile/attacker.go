package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// attacker is a raw connection to the broker.
type attacker struct{ *net.TCPConn }

func dial(ctx context.Context, addr string) (*attacker, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a fresh socket takes it
	}
	return &attacker{conn.(*net.TCPConn)}, nil
}

// endsAfter sends input and expects the broker to end the connection by itself.
// The attacker does answer a close, by leaving: that the broker does not wait
// for that for ever is for closeNeverAnswered.
func endsAfter(input ...[]byte) func(context.Context, string) error {
	return func(ctx context.Context, addr string) error {
		a, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		defer a.Close()
		go a.Write(join(input...)) // its end may come before all is written
		if a.hears(string([]byte{0x00, 0x53, closing})) {
			return a.CloseWrite()
		}
		return a.untilEnd()
	}
}

// livesAfter sends input and expects the broker to answer with something and to
// leave the connection open until the attacker leaves.
func livesAfter(input ...[]byte) func(context.Context, string) error {
	return func(ctx context.Context, addr string) error {
		a, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		defer a.Close()
		if _, err := a.Write(join(input...)); err != nil {
			return fmt.Errorf("the broker ended the connection: %w", err)
		}
		_ = a.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := io.Copy(io.Discard, a); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("the broker ended the connection (%v)", err)
		}
		return nil
	}
}

// leavesAfter sends input and goes away without a word.
func leavesAfter(input ...[]byte) func(context.Context, string) error {
	return func(ctx context.Context, addr string) error {
		a, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		defer a.Close()
		_, err = a.Write(join(input...))
		return err
	}
}

// untilEnd reads until the broker ends the connection.
func (a *attacker) untilEnd() error {
	_, err := io.Copy(io.Discard, a)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the broker did not end the connection")
	}
	return nil // EOF or a reset
}

// hears reads until the broker has said some words, or says nothing more.
func (a *attacker) hears(words string) bool {
	var heard []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := a.Read(buf)
		heard = append(heard, buf[:n]...)
		if bytes.Contains(heard, []byte(words)) {
			return true
		}
		if err != nil {
			return false
		}
		heard = heard[max(0, len(heard)-len(words)):]
	}
}

// drainAside reads what the broker says, so that it never has to wait.
func (a *attacker) drainAside() { go io.Copy(io.Discard, a) }

// flood writes the same bytes n times, in large writes. It is no error if the
// broker ends the connection.
func (a *attacker) flood(unit []byte, n int) {
	const batch = 64 << 10
	per := max(1, batch/len(unit))
	var block []byte
	for range per {
		block = append(block, unit...)
	}
	for sent := 0; sent < n; sent += per {
		if _, err := a.Write(block); err != nil {
			return
		}
	}
}

// each connects n attackers and hands each of them to do, in turn.
func each(ctx context.Context, addr string, n int, do func(i int, a *attacker) error) (all []*attacker, err error) {
	for i := range n {
		a, err := dial(ctx, addr)
		if err != nil {
			return all, fmt.Errorf("connection %d: %w", i, err)
		}
		all = append(all, a)
		if err := do(i, a); err != nil {
			return all, err
		}
	}
	return all, nil
}

func closeAll(all []*attacker) {
	for _, a := range all {
		a.Close()
	}
}
