package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
	"entrepot/journal"
)

func (w *world) journalDumpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Write every row of the store, a line each; with -o json an object each",
		Args:  cobra.NoArgs,
	}
	data, format := w.dataFlag(cmd), outputFlag(cmd)
	var o journal.DumpOptions
	flags := cmd.Flags()
	flags.StringVar(&o.Kinds, "kinds", "", "only rows of these kinds, the first letters of their keys: LQT")
	flags.BoolVar(&o.Records, "records", false, "also the records of packs, with -o json in the list \"records\"")
	flags.BoolVar(&o.Payloads, "payloads", false, "also the first bytes of messages")
	cmd.RunE = func(*cobra.Command, []string) error {
		if *format == console.Text {
			return journal.Dump(config.JournalDir(*data), w.out, o)
		}
		rows := &jsonRows{out: w.out}
		return errors.Join(journal.Dump(config.JournalDir(*data), rows, o), rows.flush())
	}
	return cmd
}

// jsonRows makes an object of each row that journal.Dump writes as text. The
// lines of a pack's records, which are indented, belong to the row before.
type jsonRows struct {
	out  io.Writer
	rest []byte // a line that has not ended
	row  *dumpedRow
}

type dumpedRow struct {
	Key     string   `json:"key"`
	Value   string   `json:"value"`
	Records []string `json:"records,omitempty"`
}

// Write takes text in any portions.
func (j *jsonRows) Write(p []byte) (int, error) {
	j.rest = append(j.rest, p...)
	for {
		line, rest, whole := bytes.Cut(j.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		j.rest = rest
		if err := j.line(string(line)); err != nil {
			return len(p), err
		}
	}
}

func (j *jsonRows) line(line string) error {
	if record, ok := strings.CutPrefix(line, "  "); ok && j.row != nil {
		j.row.Records = append(j.row.Records, record)
		return nil
	}
	err := j.flush()
	key, value := splitRow(line)
	j.row = &dumpedRow{Key: key, Value: value}
	return err
}

// flush writes the row that is complete now.
func (j *jsonRows) flush() error {
	if j.row == nil {
		return nil
	}
	row := j.row
	j.row = nil
	encoder := json.NewEncoder(j.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(row)
}

// splitRow cuts "key: value". A name in the key is quoted, and what is quoted
// may hold a colon.
func splitRow(line string) (key, value string) {
	quoted := 0
	if i := strings.IndexByte(line, '"'); i >= 0 && i < strings.Index(line, ": ") {
		if name, err := strconv.QuotedPrefix(line[i:]); err == nil {
			quoted = i + len(name)
		}
	}
	rest, value, _ := strings.Cut(line[quoted:], ": ")
	return line[:quoted] + rest, value
}
