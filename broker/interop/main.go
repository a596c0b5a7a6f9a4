// Command interop runs real AMQP 1.0 clients against a started broker:
//
//	go run ./broker/interop [-suites goamqp,proton,rhea,hostile] [-only NAME]
//
// It builds the binary, starts two brokers on free loopback ports (one for
// anonymous clients, one with users and a short idle time-out), runs each
// suite's own tests, and then lets each client suite send the corpus to each,
// itself included. run.sh beside it first installs what the suites need.
//
// The last lines are "SUITE: N passed, N failed" for each suite, and
// "N passed, N failed". The exit code is 0 if none failed, 1 otherwise.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

type settings struct {
	binary string
	suites string
	only   string
	addr   string
	prefix string
}

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "", "entrepot binary (default: built from this checkout)")
	flag.StringVar(&s.suites, "suites", "goamqp,proton,rhea,hostile", "suites to run")
	flag.StringVar(&s.only, "only", "", "run only tests with this in their name, and nothing across suites")
	flag.StringVar(&s.addr, "addr", "", "HOST:PORT of a running broker to test instead; it must let anonymous clients in")
	flag.StringVar(&s.prefix, "prefix", "", "what stands before each queue's name in an address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	total, err := runAll(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	fmt.Println(total)
	if total.failed > 0 {
		os.Exit(1)
	}
}

// runAll runs the suites and prints each one's count.
func runAll(ctx context.Context, s settings) (score, error) {
	dir, err := os.MkdirTemp("", "entrepot-interop-")
	if err != nil {
		return score{}, err
	}
	defer os.RemoveAll(dir)
	b, err := startBrokers(ctx, s, dir)
	if err != nil {
		return score{}, err
	}
	defer b.stop()
	names := strings.Split(s.suites, ",")
	suites, err := prepare(ctx, names, b, dir)
	if err != nil {
		return score{}, err
	}
	scores := map[string]score{}
	for _, name := range names {
		scores[name] = suites[name].run(ctx, "run")
	}
	if s.only == "" {
		runAcross(ctx, suites, scores)
	}
	var total score
	for _, name := range names {
		fmt.Printf("%s: %s\n", name, scores[name])
		total.add(scores[name])
	}
	return total, nil
}

// runAcross lets every client suite send to every one, and adds the counts to
// both sides'.
func runAcross(ctx context.Context, suites map[string]*suite, scores map[string]score) {
	clients := slices.DeleteFunc([]string{"goamqp", "proton", "rhea"}, func(name string) bool {
		_, chosen := suites[name]
		return !chosen
	})
	for _, from := range clients {
		for _, to := range clients {
			scores[from] = scores[from].plus(suites[from].run(ctx, "send", to))
			scores[to] = scores[to].plus(suites[to].run(ctx, "receive", from))
		}
	}
}
