// Command chaos breaks a cluster under load in all the ways it knows, and counts.
//
//	go run ./broker/chaos [-duration 15m] [-seed N] [-nodes 3] [-faults LIST] [-out DIR]
//
// Three real entrepot processes talk to each other through a network that can be
// cut, one way too, and slowed; real AMQP clients (go-amqp, so that no code of the
// broker judges itself) send messages that say whose they are, and settle what they
// get. Nodes are killed, all at once as well, stopped for seconds, restarted in
// turn, wiped and replaced, their disks fill up, leaderships move. At the end
// everything is healed and drained, the replicas are compared, and package oracle
// says what no correct broker could have done. With -nodes 1 a standalone broker is
// killed and stopped.
//
// The seed fixes which faults come, when, and all choices of the clients; the
// scheduling of processes is not replayable, so a violation may need several runs
// to come again.
//
// Exit codes: 0 nothing wrong, 1 a violation or a run that could not be finished, 2
// wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"entrepot/broker/brokerproc"
)

type settings struct {
	duration time.Duration
	seed     uint64
	nodes    int
	network  string // see newNetwork
	faults   string // empty: all
	binary   string
	dir      string
	out      string
}

// wants tells whether a fault is asked for.
func (s *settings) wants(fault string) bool {
	return s.faults == "" || slices.Contains(strings.Split(s.faults, ","), fault)
}

// check finds what can't be meant.
func (s *settings) check() error {
	if s.nodes < 1 {
		return fmt.Errorf("-nodes %d: at least 1", s.nodes)
	}
	known := faultNames()
	for name := range strings.SplitSeq(s.faults, ",") {
		if s.faults != "" && !slices.Contains(known, name) {
			return fmt.Errorf("no fault is called %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

func faultNames() []string {
	var names []string
	for _, k := range slices.Concat(processFaults, networkFaults) {
		names = append(names, k.name)
	}
	return names
}

func main() {
	var s settings
	flag.DurationVar(&s.duration, "duration", 15*time.Minute, "time in which things go wrong; healing and draining come after")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "seed of all random choices")
	flag.IntVar(&s.nodes, "nodes", 3, "nodes of the cluster; 1: a standalone broker")
	flag.StringVar(&s.network, "network", onLoopback, "what the nodes talk over: "+onLoopback+" (proxies, works everywhere) or "+inNamespaces+" (each node in a network namespace: Linux, root)")
	flag.StringVar(&s.faults, "faults", "", "only these, comma-separated: "+strings.Join(faultNames(), ", "))
	flag.StringVar(&s.binary, "binary", "", "entrepot binary (default: built from this checkout)")
	flag.StringVar(&s.dir, "dir", "", "directory for data and logs (default: a new one in the temporary directory)")
	flag.StringVar(&s.out, "out", "", "directory for chaos.txt and chaos.json (default: only standard output)")
	flag.Parse()
	if err := s.check(); err != nil || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := runOnce(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	if !result.OK() {
		os.Exit(1)
	}
}

// runOnce runs and reports. Data and logs are removed if nothing was wrong.
func runOnce(ctx context.Context, s settings) (*Result, error) {
	dir := s.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "entrepot-chaos-"); err != nil {
			return nil, err
		}
	}
	binary := s.binary
	if binary == "" {
		fresh, err := os.MkdirTemp("", "entrepot-chaos-bin-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(fresh)
		if binary, err = brokerproc.Build(ctx, ".", fresh); err != nil {
			return nil, err
		}
	}
	h, err := newHarness(s, binary, filepath.Join(dir, "nodes"), sayTo(os.Stderr, time.Now()))
	if err != nil {
		return nil, err
	}
	result, err := h.run(ctx, s.duration)
	if err != nil {
		result.Error = err.Error()
	}
	result.print(os.Stdout)
	if s.out != "" {
		if err := os.MkdirAll(s.out, 0o755); err != nil {
			return nil, err
		}
		if err := result.write(s.out); err != nil {
			return nil, err
		}
	}
	if result.OK() {
		return result, os.RemoveAll(dir)
	}
	return result, nil
}

// sayTo tells what happens as it does.
func sayTo(w *os.File, start time.Time) func(string, ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(w, "%6.1f s  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}
