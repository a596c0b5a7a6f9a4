package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// palette is a colour per peer, told apart by the colour-blind too.
var palette = []color.Color{
	color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
	color.RGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
}

// PlotRates draws bars of Rate (or DrainRate), a group per case and a bar per peer. The file's
// suffix says whether it is SVG or PNG. Without any rate there is no file.
func (r *Report) PlotRates(path string) error {
	cases := r.casesWith(func(c Case) bool {
		return slices.ContainsFunc(r.Peers, func(p Peer) bool { return !math.IsNaN(r.throughput(c.Name, p.Name)) })
	})
	if len(cases) == 0 {
		return nil
	}
	p := plot.New()
	p.Title.Text = "Messages a second"
	p.Y.Min = 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	names := make([]string, len(cases))
	for i, c := range cases {
		names[i] = c.Name
	}
	p.NominalX(names...)

	const barWidth = 11
	peers := r.measured()
	for i, name := range peers {
		values := make(plotter.Values, len(cases))
		for k, c := range cases {
			if v := r.throughput(c.Name, name); !math.IsNaN(v) {
				values[k] = v
			}
		}
		bars, err := plotter.NewBarChart(values, vg.Points(barWidth))
		if err != nil {
			return fmt.Errorf("plot of rates: %w", err)
		}
		bars.Color = palette[i%len(palette)]
		bars.LineStyle.Width = 0
		bars.Offset = vg.Points(barWidth * (float64(i) - float64(len(peers)-1)/2))
		p.Add(bars)
		p.Legend.Add(name, bars)
	}
	width := vg.Points(float64(60 + len(cases)*(len(peers)*barWidth+24)))
	return p.Save(max(width, 14*vg.Centimeter), 9*vg.Centimeter, path)
}

// throughput is the rate that stands for a case.
func (r *Report) throughput(caseName, peer string) float64 {
	if v := r.Median(caseName, peer, Rate); !math.IsNaN(v) {
		return v
	}
	return r.Median(caseName, peer, DrainRate)
}

// PlotLatency draws, for one case, milliseconds over quantiles, a line per peer:
// end to end if the case has it, else to the accept. Without any there is no file.
func (r *Report) PlotLatency(caseName, path string) error {
	p := plot.New()
	p.Title.Text = caseName + ": latency"
	p.Y.Label.Text = "ms"
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	p.X.Label.Text = "share of messages"
	p.X.Tick.Marker = plot.ConstantTicks(ninesTicks())
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())

	empty := true
	for i, name := range r.measured() {
		curve := r.curve(caseName, name)
		if curve == nil {
			continue
		}
		points := make(plotter.XYs, len(curve))
		for k, ms := range curve {
			points[k] = plotter.XY{X: nines(Quantiles[k]), Y: max(ms, 1e-3)} // a log scale has no zero
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("plot of latency: %w", err)
		}
		line.Color = palette[i%len(palette)]
		line.Width = vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(name, line)
		empty = false
	}
	if empty {
		return nil
	}
	return p.Save(14*vg.Centimeter, 9*vg.Centimeter, path)
}

// nines spreads the tail: 0.9 is 1, 0.99 is 2, 0.999 is 3.
func nines(q float64) float64 { return -math.Log10(1 - q) }

func ninesTicks() []plot.Tick {
	var ticks []plot.Tick
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		ticks = append(ticks, plot.Tick{Value: nines(q), Label: fmt.Sprintf("%g%%", math.Round(q*1e6)/1e4)})
	}
	return ticks
}

// curve is the median of a peer's curves, point by point.
func (r *Report) curve(caseName, peer string) Curve {
	var curves []Curve
	for _, run := range r.Runs {
		if run.Case != caseName || run.Peer != peer || run.Error != "" {
			continue
		}
		if run.EndToEnd != nil {
			curves = append(curves, run.EndToEnd)
		} else if run.Accept != nil {
			curves = append(curves, run.Accept)
		}
	}
	if len(curves) == 0 {
		return nil
	}
	middle := make(Curve, len(Quantiles))
	for i := range middle {
		var at []float64
		for _, c := range curves {
			at = append(at, c[i])
		}
		middle[i] = median(at)
	}
	return middle
}

func (r *Report) casesWith(has func(Case) bool) []Case {
	var with []Case
	for _, c := range r.Cases {
		if has(c) {
			with = append(with, c)
		}
	}
	return with
}

// measured are the names of the peers that were not skipped.
func (r *Report) measured() []string {
	var names []string
	for _, p := range r.Peers {
		if p.Skipped == "" {
			names = append(names, p.Name)
		}
	}
	return names
}
