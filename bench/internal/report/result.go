package report

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"entrepot/bench/internal/hist"
)

// Report is everything that one invocation measured. It is what the JSON file
// holds.
type Report struct {
	Machine Machine   `json:"machine"`
	Started time.Time `json:"started"`
	Quick   bool      `json:"quick,omitempty"` // shrunk: the goals do not apply
	Peers   []Peer    `json:"peers"`
	Cases   []Case    `json:"cases"`
	Runs    []Run     `json:"runs"`
}

// Peer is a broker that was measured, or why it was not.
type Peer struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Ours    bool   `json:"ours,omitempty"` // the goals are for this one
	Skipped string `json:"skipped,omitempty"`
}

// Case is what a reader must know of one case.
type Case struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Goals []Goal `json:"goals,omitempty"`
}

// Run is one case on one peer in one round. With an Error the metrics are those
// that were measured before it.
type Run struct {
	Case     string             `json:"case"`
	Peer     string             `json:"peer"`
	Round    int                `json:"round"` // from 0
	Metrics  map[Metric]float64 `json:"metrics"`
	Accept   Curve              `json:"accept_latency,omitempty"`
	EndToEnd Curve              `json:"end_to_end_latency,omitempty"`
	// FsyncMillis is what a 4 KiB fdatasync took just before, without a broker.
	FsyncMillis float64 `json:"fsync_ms"`
	Error       string  `json:"error,omitempty"`
}

// Curve is a latency distribution: milliseconds at each of Quantiles.
type Curve []float64

// Quantiles are where a Curve has its points.
var Quantiles = []float64{0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999}

// CurveOf samples h; an empty one has no curve.
func CurveOf(h *hist.Histogram) Curve {
	if h.Count() == 0 {
		return nil
	}
	curve := make(Curve, len(Quantiles))
	for i, q := range Quantiles {
		curve[i] = Millis(h.Quantile(q))
	}
	return curve
}

// Millis is d in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// WriteJSON replaces the file at path in one step.
func (r *Report) WriteJSON(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Line is the run in one line, for people who watch.
func (r *Run) Line() string {
	if r.Error != "" {
		return "FAILED: " + r.Error
	}
	var parts []string
	for _, d := range metrics {
		if v, ok := r.Metrics[d.metric]; ok {
			parts = append(parts, string(d.metric)+" "+d.format(v))
		}
	}
	return strings.Join(parts, ", ")
}
