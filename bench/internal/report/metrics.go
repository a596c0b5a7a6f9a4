// Package report turns the measurements of many runs into a JSON file, a table
// and plots.
package report

import (
	"fmt"
	"math"
)

// Metric names one figure of a run. Its unit is part of its meaning, see metrics.
type Metric string

// The metrics, in the order in which reports show them.
const (
	Rate         Metric = "rate"
	SendRate     Metric = "send_rate"
	AcceptP50    Metric = "accept_p50_ms"
	AcceptP99    Metric = "accept_p99_ms"
	AcceptP999   Metric = "accept_p999_ms"
	EndToEndP50  Metric = "e2e_p50_ms"
	EndToEndP99  Metric = "e2e_p99_ms"
	EndToEndP999 Metric = "e2e_p999_ms"
	CPUPerMsg    Metric = "cpu_us"
	ClientPerMsg Metric = "client_us"
	OthersCPU    Metric = "others_cpu_percent"
	WrittenBytes Metric = "written_bytes"
	RSS          Metric = "rss_mib"
	PeakRSS      Metric = "rss_peak_mib"
	FillRate     Metric = "fill_rate"
	DrainRate    Metric = "drain_rate"
	DrainCPU     Metric = "drain_cpu_us"
	DrainToLive  Metric = "drain_to_live"
	RestartTime  Metric = "restart_s"
	DiskPerMsg   Metric = "disk_bytes"
	DeclareTime  Metric = "declare_s"
	AddedRSS     Metric = "added_mib"
	FirstP50     Metric = "first_p50_ms"
	FirstToEmpty Metric = "first_to_empty"
	PerConn      Metric = "conn_kib"
	CPUShare     Metric = "cpu_percent"
	ExpiryLag    Metric = "expiry_lag_s"

	FollowerToLeader Metric = "follower_to_leader"
	AcceptPause      Metric = "accept_pause_s"
	ReceivePause     Metric = "receive_pause_s"
	FirstDelivery    Metric = "first_delivery_s"
	FailedSends      Metric = "failed_sends"
	BetweenBytes     Metric = "between_bytes"
	NodeRSS          Metric = "node_rss_mib"
	NodeCPUShare     Metric = "node_cpu_percent"
)

// definition says what a metric is and how to write it.
type definition struct {
	metric       Metric
	title        string
	decimals     int
	higherBetter bool
}

var metrics = []definition{
	{Rate, "messages/s", 0, true},
	{SendRate, "accepted/s", 0, true},
	{AcceptP50, "accept p50, ms", 2, false},
	{AcceptP99, "accept p99, ms", 2, false},
	{AcceptP999, "accept p99.9, ms", 2, false},
	{EndToEndP50, "end-to-end p50, ms", 2, false},
	{EndToEndP99, "end-to-end p99, ms", 2, false},
	{EndToEndP999, "end-to-end p99.9, ms", 2, false},
	{CPUPerMsg, "broker CPU, us/message", 1, false},
	{ClientPerMsg, "client CPU, us/message", 1, false},
	{OthersCPU, "CPU of anybody else, % of a core", 0, false},
	{WrittenBytes, "written to the disk, B/message", 0, false},
	{RSS, "RSS, MiB", 0, false},
	{PeakRSS, "peak RSS, MiB", 0, false},
	{FillRate, "fill, messages/s", 0, true},
	{DrainRate, "drain, messages/s", 0, true},
	{DrainCPU, "drain CPU, us/message", 1, false},
	{DrainToLive, "drain / live rate", 2, true},
	{RestartTime, "kill -9 to first accept, s", 2, false},
	{DiskPerMsg, "disk, B/message", 0, false},
	{DeclareTime, "declare, s", 2, false},
	{AddedRSS, "added RSS, MiB", 1, false},
	{FirstP50, "first message p50, ms", 2, false},
	{FirstToEmpty, "first message / empty node", 2, false},
	{PerConn, "RSS per connection, KiB", 1, false},
	{CPUShare, "CPU, % of a core", 2, false},
	{ExpiryLag, "expiry lag, worst, s", 2, false},
	{FollowerToLeader, "rate at a follower / at the leader", 2, true},
	{AcceptPause, "longest pause of accepted, s", 2, false},
	{ReceivePause, "longest pause of received, s", 2, false},
	{FirstDelivery, "kill -9 to first delivery, s", 2, false},
	{FailedSends, "failed sends", 0, false},
	{BetweenBytes, "between the nodes, B/message", 0, false},
	{NodeRSS, "RSS of the largest node, MiB", 0, false},
	{NodeCPUShare, "CPU a node, % of a core", 2, false},
}

func define(m Metric) (definition, bool) {
	for _, d := range metrics {
		if d.metric == m {
			return d, true
		}
	}
	return definition{}, false
}

// Known tells whether m is a metric that reports show.
func Known(m Metric) bool {
	_, ok := define(m)
	return ok
}

// format writes a value as the tables show it: from 10,000 on in thousands.
func (d definition) format(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	if math.Abs(v) >= 10_000 {
		return fmt.Sprintf("%.1fk", v/1000)
	}
	return fmt.Sprintf("%.*f", d.decimals, v)
}

// Goal is a bound that the project has set itself for a metric of a case.
type Goal struct {
	Metric Metric  `json:"metric"`
	Bound  float64 `json:"bound"` // at least, if higher is better; else at most
}

// Met tells whether v reaches the goal.
func (g Goal) Met(v float64) bool {
	d, _ := define(g.Metric)
	if d.higherBetter {
		return v >= g.Bound
	}
	return v <= g.Bound
}

func (g Goal) String() string {
	d, _ := define(g.Metric)
	sign := "≤"
	if d.higherBetter {
		sign = "≥"
	}
	return sign + " " + d.format(g.Bound)
}
