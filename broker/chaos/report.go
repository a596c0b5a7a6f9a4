package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"entrepot/broker/crash/oracle"
)

// Result is the outcome of a run, as it is written to JSON.
type Result struct {
	Seed     uint64    `json:"seed"`
	Binary   string    `json:"binary"`
	Nodes    int       `json:"nodes"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Dir      string    `json:"dir"` // data and logs; kept if something is wrong
	Episodes int       `json:"episodes"`

	Kills      int `json:"kills"`
	Pauses     int `json:"pauses"`
	Partitions int `json:"partitions"`
	Delays     int `json:"delays"`
	Transfers  int `json:"transfers"`
	Terms      int `json:"sigterms"`
	Wipes      int `json:"wiped_nodes_replaced"`
	DisksFull  int `json:"full_disks"`
	// Skipped says which faults this machine does not allow, and why.
	Skipped []string `json:"skipped"`

	// SlowestHeal is the longest time from the end of a fault until all nodes were
	// ready.
	SlowestHeal float64 `json:"slowest_heal_seconds"`
	// LongestPauses are, for every queue, what was accepted and what was delivered.
	LongestPauses []Pause `json:"longest_pauses"`
	// WatchedPauses are the longest ones of the watched queue by the kind of fault.
	WatchedPauses map[string]Pause `json:"watched_pauses"`

	// Error is why the run could not be finished. Then the counts are what there
	// was until then.
	Error string `json:"error,omitempty"`
	oracle.Report
}

// OK is true if the run came to its end and nothing was wrong.
func (r *Result) OK() bool { return r.Error == "" && r.Report.OK() }

// vacuous is an error if so little happened that "none lost" means nothing.
func (r *Result) vacuous() error {
	if least := min(r.Accepted, r.Settled); least < 10*r.Episodes || r.Episodes == 0 {
		return fmt.Errorf("%d episodes, %d accepted, %d settled: the load did not run", r.Episodes, r.Accepted, r.Settled)
	}
	return nil
}

// print writes the result for people: one page.
func (r *Result) print(w io.Writer) {
	fmt.Fprintf(w, "chaos: seed %d, %d nodes, %.0f s, %d episodes\n\n", r.Seed, r.Nodes, r.Seconds, r.Episodes)
	fmt.Fprintf(w, "  faults        %d kill -9, %d pauses, %d partitions, %d slow networks, %d transfers, %d SIGTERM, %d wiped nodes, %d full disks\n",
		r.Kills, r.Pauses, r.Partitions, r.Delays, r.Transfers, r.Terms, r.Wipes, r.DisksFull)
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "  skipped       %s\n", s)
	}
	fmt.Fprintf(w, "  sent          %d: %d accepted, %d refused, %d never answered\n", r.Sent, r.Accepted, r.Refused, r.Unknown)
	fmt.Fprintf(w, "  delivered     %d: %d duplicates, of that %d stale by then; leaders changed in %d calm stretches\n", r.Delivered, r.Redelivered, r.Stale, r.Shaken)
	fmt.Fprintf(w, "  settled       %d confirmed, %d in doubt\n", r.Settled, r.InDoubt)
	fmt.Fprintf(w, "  expired       %d\n", r.Expired)
	fmt.Fprintf(w, "  lost          %d\n", r.Counts[oracle.Lost])
	fmt.Fprintf(w, "  slowest heal  %.1f s until all nodes were ready\n", r.SlowestHeal)
	r.printPauses(w)
	r.printVerdict(w)
}

func (r *Result) printPauses(w io.Writer) {
	if len(r.WatchedPauses) > 0 {
		fmt.Fprintf(w, "\n  longest pauses of %s, which has clients at each node, by the fault before their end\n", watched)
	}
	kinds := make([]string, 0, len(r.WatchedPauses))
	for kind := range r.WatchedPauses {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		p := r.WatchedPauses[kind]
		fmt.Fprintf(w, "    %-22s %6.2f s  %-9s at %4.0f s: %s\n", kind, p.Seconds, p.What, p.At, p.During)
	}
	if len(r.LongestPauses) > 0 {
		fmt.Fprintf(w, "\n  longest pauses of all queues (clients may have been at a node that was away)\n")
	}
	const shown = 6
	for _, p := range r.LongestPauses[:min(shown, len(r.LongestPauses))] {
		fmt.Fprintf(w, "    %-22s %6.2f s  %-9s at %4.0f s: %s\n", p.Queue, p.Seconds, p.What, p.At, p.During)
	}
}

func (r *Result) printVerdict(w io.Writer) {
	fmt.Fprintln(w)
	for kind, n := range r.Counts {
		fmt.Fprintf(w, "  VIOLATION %s: %d\n", kind, n)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "    %s\n", v.Tell("stretch"))
	}
	switch {
	case r.Error != "":
		fmt.Fprintf(w, "  NOT FINISHED: %s\n", r.Error)
	case r.Report.OK():
		fmt.Fprintf(w, "  violations    none\n")
	}
	if !r.OK() {
		fmt.Fprintf(w, "  data and logs are kept in %s\n", r.Dir)
	}
}
