package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
	"entrepot/journal"
)

func (w *world) journalVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check every row, checksum and invariant of the store",
		Long:  "Check every row, checksum and invariant of a stopped node's store. It changes nothing.\nExit code 1: something is wrong, or can't be looked at.",
		Args:  cobra.NoArgs,
	}
	data, format := w.dataFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		report, err := journal.Verify(config.JournalDir(*data))
		if err != nil {
			return err
		}
		printed := console.Print(w.out, *format, verified(report), func(out io.Writer) { showReport(out, report) })
		if n := len(report.Problems); n > 0 {
			return fmt.Errorf("%d problems in %s", n, *data)
		}
		return printed
	}
	return cmd
}

// verifiedStore is a journal.Report as JSON.
type verifiedStore struct {
	OK       bool            `json:"ok"`
	Rows     uint64          `json:"rows"`
	Problems []string        `json:"problems"`
	Shards   []verifiedShard `json:"shards"`
}

type verifiedShard struct {
	Shard      uint16 `json:"shard"`
	Durable    uint64 `json:"durable_index"` // K
	Spilled    uint64 `json:"spilled_index"` // W
	LogFirst   uint64 `json:"log_first"`
	LogLast    uint64 `json:"log_last"`
	Queues     uint64 `json:"queues"`
	Messages   uint64 `json:"messages"`
	Bytes      uint64 `json:"bytes"`
	Generation uint8  `json:"generation"`
	OldRows    uint64 `json:"old_rows"` // of other generations
	Leftovers  uint64 `json:"leftovers"`
}

func verified(r journal.Report) verifiedStore {
	v := verifiedStore{OK: len(r.Problems) == 0, Rows: r.Rows, Problems: append([]string{}, r.Problems...), Shards: []verifiedShard{}}
	for _, s := range r.Shards {
		v.Shards = append(v.Shards, verifiedShard(s))
	}
	return v
}

func showReport(out io.Writer, r journal.Report) {
	for _, s := range r.Shards {
		fmt.Fprintf(out, "shard %d: log %d to %d, K %d, W %d; %s in %s queues, %s bytes; %s leftovers\n",
			s.Shard, s.LogFirst, s.LogLast, s.Durable, s.Spilled, messages(s.Messages),
			console.Thousands(s.Queues), console.Thousands(s.Bytes), console.Thousands(s.Leftovers))
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(out, "problem:", strings.TrimSpace(problem))
	}
	fmt.Fprintf(out, "%s rows checked, %d problems\n", console.Thousands(r.Rows), len(r.Problems))
}
