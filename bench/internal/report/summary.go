package report

import (
	"math"
	"slices"
)

// values are a metric's figures of one case and peer by round; rounds that failed
// or did not measure it are absent.
func (r *Report) values(caseName, peer string, m Metric) map[int]float64 {
	byRound := make(map[int]float64)
	for _, run := range r.Runs {
		if run.Case != caseName || run.Peer != peer || run.Error != "" {
			continue
		}
		if v, ok := run.Metrics[m]; ok {
			byRound[run.Round] = v
		}
	}
	return byRound
}

// Median is the middle of a metric over all rounds; NaN if there is none.
func (r *Report) Median(caseName, peer string, m Metric) float64 {
	var all []float64
	for _, v := range r.values(caseName, peer, m) {
		all = append(all, v)
	}
	return median(all)
}

// Ratio is the median over all rounds of peer a's figure divided by peer b's of
// the same round. Machines drift: figures that were taken one after the other can
// be compared, medians of an afternoon less so. NaN if no round has both.
func (r *Report) Ratio(caseName, a, b string, m Metric) float64 {
	ofB := r.values(caseName, b, m)
	var ratios []float64
	for round, v := range r.values(caseName, a, m) {
		if w, ok := ofB[round]; ok && w != 0 {
			ratios = append(ratios, v/w)
		}
	}
	return median(ratios)
}

// failures are the errors of one case and peer, each once.
func (r *Report) failures(caseName, peer string) []string {
	var errs []string
	for _, run := range r.Runs {
		if run.Case == caseName && run.Peer == peer && run.Error != "" && !slices.Contains(errs, run.Error) {
			errs = append(errs, run.Error)
		}
	}
	return errs
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
