// Command crash kills a broker under load, again and again, and counts.
//
//	go run ./broker/crash -rounds 30 [-seed N] [-durability fsync,os] [-json FILE]
//
// Each round starts a real entrepot process on the data of the round before,
// loads it with producers and consumers (go-amqp, so that no code of the broker
// judges itself), and ends it with SIGKILL, sometimes twice, or with SIGTERM.
// At the end everything is drained, and package oracle says what no correct
// broker could have done.
//
// The seed fixes the moments of the kills and all choices of the clients; the
// scheduling of processes is not replayable, so a violation may need several
// runs to come again.
//
// Exit codes: 0 nothing wrong, 1 a violation or a run that could not be
// finished, 2 wrong usage.
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

type settings struct {
	rounds     int
	seed       uint64
	durability string
	json       string
	binary     string
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 30, "rounds of load and kill, for each durability")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "seed of all random choices")
	flag.StringVar(&s.durability, "durability", "fsync,os", "modes to run, one after the other")
	flag.StringVar(&s.json, "json", "", "file for the report as JSON; - is standard output")
	flag.StringVar(&s.binary, "binary", "", "entrepot binary (default: built from this checkout)")
	flag.Parse()
	if flag.NArg() > 0 || s.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := runAll(ctx, s)
	if err == nil {
		err = writeJSON(s.json, results)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
	for _, r := range results {
		if !r.OK() {
			os.Exit(1)
		}
	}
}

// runAll runs every durability and prints each result as it comes.
func runAll(ctx context.Context, s settings) ([]Result, error) {
	dir, err := os.MkdirTemp("", "entrepot-crash-")
	if err != nil {
		return nil, err
	}
	if s.binary == "" {
		if s.binary, err = brokerproc.Build(ctx, ".", dir); err != nil {
			return nil, err
		}
	}
	var results []Result
	keep := false
	for mode := range strings.SplitSeq(s.durability, ",") {
		h, err := newHarness(filepath.Join(dir, mode), s.binary, mode, s.seed)
		if err != nil {
			return nil, err
		}
		r, err := h.run(ctx, s.rounds, progress)
		if err != nil {
			r.Error = err.Error()
		}
		r.print(os.Stdout)
		results = append(results, r)
		keep = keep || !r.OK()
	}
	if !keep {
		return results, os.RemoveAll(dir)
	}
	return results, nil
}

// progress rewrites one line, if somebody is watching.
func progress(text string) {
	if st, err := os.Stderr.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r%s ", text)
	}
}

func writeJSON(path string, results []Result) error {
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if path == "-" {
		_, err = os.Stdout.Write(b)
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
