package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// WriteMarkdown writes one table per case: a row per metric, a column per peer
// with the median, and the ratio of the first peer to each other one.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	r.preamble(&b)
	for _, c := range r.Cases {
		r.caseTable(&b, c)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) preamble(b *strings.Builder) {
	fmt.Fprintf(b, "# Bench of %s\n\n", r.Started.UTC().Format("2006-01-02 15:04 MST"))
	m := r.Machine
	fmt.Fprintf(b, "%s, %d cores, %d MiB, Linux %s, %s.", m.CPU, m.Cores, m.MemoryMiB, m.Kernel, m.Go)
	var probes []float64
	for _, run := range r.Runs {
		probes = append(probes, run.FsyncMillis)
	}
	if len(probes) > 0 {
		middle := median(probes) // sorts
		fmt.Fprintf(b, " A 4 KiB fdatasync took %.2f ms (%.2f to %.2f over all runs).",
			middle, probes[0], probes[len(probes)-1])
	}
	b.WriteString("\nMedians over all rounds; in parentheses the ratio of the first column to this one, median of the rounds.\n")
	if r.Quick {
		b.WriteString("\n**A quick run: everything is shrunk, the goals do not apply.**\n")
	}
	b.WriteString("\n")
	for _, p := range r.Peers {
		if p.Skipped != "" {
			fmt.Fprintf(b, "- %s: skipped, %s\n", p.Name, p.Skipped)
			continue
		}
		fmt.Fprintf(b, "- %s: %s\n", p.Name, p.Version)
	}
}

func (r *Report) caseTable(b *strings.Builder, c Case) {
	peers := r.peersOf(c.Name)
	if len(peers) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n| | %s | goal |\n|---|%s---|\n",
		c.Name, c.Title, strings.Join(peers, " | "), strings.Repeat("---|", len(peers)))
	for _, d := range metrics {
		cells, any := r.row(c, peers, d)
		if any {
			fmt.Fprintf(b, "| %s | %s |\n", d.title, strings.Join(cells, " | "))
		}
	}
	for _, p := range peers {
		for _, failure := range r.failures(c.Name, p) {
			fmt.Fprintf(b, "\n**%s failed:** %s\n", p, failure)
		}
	}
}

// row is a metric of every peer and the goal; any: at least one peer has it.
func (r *Report) row(c Case, peers []string, d definition) (cells []string, any bool) {
	for _, p := range peers {
		v := r.Median(c.Name, p, d.metric)
		cell := d.format(v)
		any = any || cell != ""
		if ratio := r.Ratio(c.Name, peers[0], p, d.metric); p != peers[0] && !math.IsNaN(ratio) {
			cell += fmt.Sprintf(" (%.2f)", ratio)
		}
		cells = append(cells, cell)
	}
	return append(cells, r.goalCell(c, peers[0], d.metric)), any
}

// goalCell is the goal, if there is one, and whether the first peer reaches it, if
// that one is ours.
func (r *Report) goalCell(c Case, first string, m Metric) string {
	i := slices.IndexFunc(c.Goals, func(g Goal) bool { return g.Metric == m })
	if i < 0 {
		return ""
	}
	goal := c.Goals[i]
	ours := slices.ContainsFunc(r.Peers, func(p Peer) bool { return p.Name == first && p.Ours })
	v := r.Median(c.Name, first, m)
	switch {
	case r.Quick || !ours || math.IsNaN(v):
		return goal.String()
	case goal.Met(v):
		return goal.String() + " ✓"
	default:
		return goal.String() + " ✗"
	}
}

// peersOf are the peers with a run of the case, in the report's order.
func (r *Report) peersOf(caseName string) []string {
	var names []string
	for _, p := range r.Peers {
		for _, run := range r.Runs {
			if run.Case == caseName && run.Peer == p.Name {
				names = append(names, p.Name)
				break
			}
		}
	}
	return names
}
