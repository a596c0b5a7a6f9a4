// Command goamqp is the go-amqp suite of make interop: it talks to a broker as
// a Go user would, and checks what comes back.
//
//	INTEROP='{"addr":"127.0.0.1:5672"}' go run ./broker/interop/goamqp run
//	                                                          ... send SUITE
//	                                                          ... receive SUITE
//
// "send" puts the corpus into a queue for another suite and writes down what it
// sent; "receive" takes what another suite has sent and compares byte by byte.
// The last line is "goamqp: N passed, N failed"; the exit code is 1 if any failed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// config is what the runner puts into the variable INTEROP. Every suite reads
// the same.
type config struct {
	// Addr takes anonymous clients. AuthAddr, of another broker, only users, and
	// announces an idle time-out of one second; empty: those tests are left out.
	Addr     string `json:"addr"`
	AuthAddr string `json:"auth_addr"`
	User     string `json:"user"`
	Password string `json:"password"`
	// Prefix stands before every queue's name: other brokers have their own.
	Prefix string `json:"prefix"`
	// Never is an address where policy says that there is never a queue; empty:
	// that test is left out.
	Never string `json:"never"`
	// Exchange is a directory where suites write down what they sent.
	Exchange string `json:"exchange"`
	// Only runs the tests whose name has this in it.
	Only string `json:"only"`
}

const suiteName = "goamqp"

func main() {
	var c config
	if err := json.Unmarshal([]byte(os.Getenv("INTEROP")), &c); err != nil || len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: INTEROP='{\"addr\":\"HOST:PORT\"}' goamqp run | send SUITE | receive SUITE", err)
		os.Exit(2)
	}
	tests, err := chosen(c, os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "goamqp:", err)
		os.Exit(2)
	}
	failed := 0
	for _, t := range tests {
		if err := runOne(c, t); err != nil {
			failed++
			fmt.Printf("FAIL %s %s: %v\n", suiteName, t.name, err)
		} else {
			fmt.Printf("ok   %s %s\n", suiteName, t.name)
		}
	}
	fmt.Printf("%s: %d passed, %d failed\n", suiteName, len(tests)-failed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// test is one thing that must work. name is also the name of its queue.
type test struct {
	name string
	run  func(*env)
}

func chosen(c config, mode string, args []string) ([]test, error) {
	switch {
	case mode == "run":
		var tests []test
		for _, t := range allTests(c) {
			if strings.Contains(t.name, c.Only) {
				tests = append(tests, t)
			}
		}
		return tests, nil
	case mode == "send" && len(args) == 1:
		return []test{{"send-to-" + args[0], func(e *env) { e.crossSend(args[0]) }}}, nil
	case mode == "receive" && len(args) == 1:
		return []test{{"receive-from-" + args[0], func(e *env) { e.crossReceive(args[0]) }}}, nil
	}
	return nil, fmt.Errorf("unknown mode %q", mode)
}

func allTests(c config) []test {
	tests := append(deliveryTests(), flowTests()...)
	tests = append(tests, typeTests()...)
	tests = append(tests, connectionTests()...)
	if c.AuthAddr != "" {
		tests = append(tests, authTests()...)
	}
	if c.Never != "" {
		tests = append(tests, test{"not-found", notFound})
	}
	return tests
}

// testLimit ends a test that hangs.
const testLimit = 30 * time.Second

// runOne runs a test. Its failures come as panics of type failure.
func runOne(c config, t test) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	e := &env{config: c, ctx: ctx, queue: c.Prefix + "interop." + suiteName + "." + t.name}
	defer e.close()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.err
		default:
			panic(r)
		}
	}()
	t.run(e)
	return nil
}

// failure ends a test.
type failure struct{ err error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func must(err error, doing string) {
	if err != nil {
		panic(failure{fmt.Errorf("%s: %w", doing, err)})
	}
}

func want[T comparable](got, want T, what string) {
	if got != want {
		fail("%s: got %v, want %v", what, got, want)
	}
}

func isTimeout(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
