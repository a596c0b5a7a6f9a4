package main

import (
	"fmt"
	"io"

	"entrepot/broker/crash/oracle"
)

// Result is the outcome of one run, as it is written to JSON.
type Result struct {
	Seed          uint64  `json:"seed"`
	Durability    string  `json:"durability"`
	Dir           string  `json:"dir"` // data and log; kept if something is wrong
	Rounds        int     `json:"rounds"`
	Kills         int     `json:"kills"`
	RecoveryKills int     `json:"recovery_kills"`
	Terms         int     `json:"sigterms"`
	SlowestStart  float64 `json:"slowest_start_seconds"`
	Seconds       float64 `json:"seconds"`
	// Error is why the run could not be finished. Then the report is empty.
	Error string `json:"error,omitempty"`
	oracle.Report
}

// OK is true if the run came to its end and nothing was wrong.
func (r *Result) OK() bool { return r.Error == "" && r.Report.OK() }

// vacuous is an error if so little happened that "none lost" means nothing: on
// average a round must store, settle and redeliver.
func (r *Result) vacuous() error {
	if least := min(r.Accepted, r.Settled, r.Redelivered); least < r.Rounds {
		return fmt.Errorf("only %d accepted, %d settled, %d redelivered: the load did not run", r.Accepted, r.Settled, r.Redelivered)
	}
	return nil
}

// print writes the result for people.
func (r *Result) print(w io.Writer) {
	fmt.Fprintf(w, "durability %s, seed %d: %d rounds in %.1f s\n", r.Durability, r.Seed, r.Rounds, r.Seconds)
	fmt.Fprintf(w, "  ended by      %d SIGKILL, %d more while recovering, %d SIGTERM\n", r.Kills, r.RecoveryKills, r.Terms)
	fmt.Fprintf(w, "  slowest start %.2f s\n", r.SlowestStart)
	fmt.Fprintf(w, "  sent          %d: %d accepted, %d refused, %d never answered\n", r.Sent, r.Accepted, r.Refused, r.Unknown)
	fmt.Fprintf(w, "  delivered     %d, of that %d again\n", r.Delivered, r.Redelivered)
	fmt.Fprintf(w, "  settled       %d confirmed, %d in doubt\n", r.Settled, r.InDoubt)
	fmt.Fprintf(w, "  expired       %d\n", r.Expired)
	switch {
	case r.Error != "":
		fmt.Fprintf(w, "  NOT FINISHED: %s\n", r.Error)
	case r.Report.OK():
		fmt.Fprintf(w, "  violations    none\n")
	}
	for kind, n := range r.Counts {
		fmt.Fprintf(w, "  VIOLATION %s: %d\n", kind, n)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "    %s\n", v.Tell("life"))
	}
	if !r.OK() {
		fmt.Fprintf(w, "  data and log are kept in %s\n", r.Dir)
	}
}
