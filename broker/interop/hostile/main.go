// Command hostile throws bad input at a running broker:
//
//	go run ./broker/interop/hostile [-only NAME]
//
// It starts an entrepot process of its own, keeps a well-behaved client at work
// all the time, and then attacks: with garbage, torn and oversized frames, wrong
// types, wrong states, bombs of nested and empty values, floods, half-open
// connections, slow readers and slow writers. After each attack it checks that
//
//   - at most the attacker's own connection has ended,
//   - the well-behaved client has gone on working, on its one connection,
//   - the broker's memory has stayed bounded,
//   - a metric has counted what failed.
//
// It prints the same lines as the client suites of make interop, which runs it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"entrepot/broker/brokerproc"
)

// brokerConfig shortens what is long by default, so that time-outs can be seen.
const brokerConfig = `
amqp:
  - address: %q
    idle_timeout: 3s
    max_frame_size: 64KiB
    max_message_size: 16MiB
`

func main() {
	var s struct {
		Binary string `json:"binary"`
		Only   string `json:"only"`
	}
	// The runner of make interop says it in a variable, people say it in flags.
	if text := os.Getenv("INTEROP"); text != "" {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			fmt.Fprintln(os.Stderr, "hostile: INTEROP:", err)
			os.Exit(2)
		}
	}
	flag.StringVar(&s.Binary, "binary", s.Binary, "entrepot binary (default: built from this checkout)")
	flag.StringVar(&s.Only, "only", s.Only, "only attacks with this in their name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	passed, failed, err := runAll(ctx, s.Binary, s.Only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	fmt.Printf("hostile: %d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// runAll runs all attacks on one broker.
func runAll(ctx context.Context, binary, only string) (passed, failed int, err error) {
	dir, err := os.MkdirTemp("", "entrepot-hostile-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	p, err := startBroker(ctx, binary, dir)
	if err != nil {
		return 0, 0, err
	}
	defer p.Kill()
	v, err := startVictim(ctx, p.AMQP)
	if err != nil {
		return 0, 0, err
	}
	defer v.stop()
	for _, a := range attacks() {
		if !strings.Contains(a.name, only) {
			continue
		}
		began := time.Now()
		rss, err := a.judge(ctx, p, v)
		took := fmt.Sprintf("%v, broker %d MiB", time.Since(began).Round(time.Millisecond), rss>>20)
		if err != nil {
			failed++
			fmt.Printf("FAIL hostile %s (%s): %v\n", a.name, took, err)
		} else {
			passed++
			fmt.Printf("ok   hostile %s (%s)\n", a.name, took)
		}
		if ended(p) {
			return passed, failed, fmt.Errorf("the broker has died, its log:\n%s", tail(filepath.Join(dir, "broker.log")))
		}
	}
	return passed, failed, nil
}

func startBroker(ctx context.Context, binary, dir string) (*brokerproc.Process, error) {
	if binary == "" {
		built, err := brokerproc.Build(ctx, ".", dir)
		if err != nil {
			return nil, err
		}
		binary = built
	}
	log, err := os.Create(filepath.Join(dir, "broker.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has it by then
	addr, err := brokerproc.FreeAddress()
	if err != nil {
		return nil, err
	}
	return brokerproc.Start(ctx, brokerproc.Options{
		Binary: binary, DataDir: filepath.Join(dir, "data"), Log: log,
		AMQP: addr, AMQPInConfig: true, Config: fmt.Sprintf(brokerConfig, addr),
	})
}

func ended(p *brokerproc.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// tail is the end of a log: where a panic stands.
func tail(path string) string {
	const most = 4 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if at := strings.Index(string(text), "panic:"); at >= 0 {
		text = text[at:]
		return string(text[:min(most, len(text))])
	}
	return string(text[max(0, len(text)-most):])
}
