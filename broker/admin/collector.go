package admin

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// A collector shows a broker's totals to Prometheus. Nothing is kept here: each
// scrape is one call of Broker.Metrics, so the hot paths only count.
type collector struct {
	broker        Broker
	families      []*prometheus.Desc // of families, in order
	distributions []*prometheus.Desc
	perQueue      []*prometheus.Desc
	perNode       []*prometheus.Desc
}

// newRegistry holds the broker's metrics and those of the Go runtime and the
// process.
func newRegistry(b Broker, version string) *prometheus.Registry {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "entrepot_info", Help: "Always 1; the version is a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(b), info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func newCollector(b Broker) *collector {
	c := &collector{broker: b}
	for _, s := range families {
		var labels []string
		if s.label != "" {
			labels = []string{s.label}
		}
		c.families = append(c.families, prometheus.NewDesc(s.name, s.help, labels, nil))
	}
	for _, d := range distributions {
		c.distributions = append(c.distributions, prometheus.NewDesc(d.name, d.help, nil, nil))
	}
	for _, q := range perQueue {
		c.perQueue = append(c.perQueue, prometheus.NewDesc(q.name, q.help, []string{"queue"}, nil))
	}
	for _, t := range perNode {
		c.perNode = append(c.perNode, prometheus.NewDesc(t.name, t.help, t.labels, nil))
	}
	return c
}

// Describe lists all that Collect may send.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, list := range [][]*prometheus.Desc{c.families, c.distributions, c.perQueue, c.perNode} {
		for _, desc := range list {
			out <- desc
		}
	}
}

// Collect reads the broker once and sends what it said.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	m := c.broker.Metrics()
	for i, s := range families {
		kind := prometheus.GaugeValue
		if s.counter {
			kind = prometheus.CounterValue
		}
		if s.label == "" {
			out <- prometheus.MustNewConstMetric(c.families[i], kind, s.value(&m))
			continue
		}
		for label, n := range s.values(&m) {
			out <- prometheus.MustNewConstMetric(c.families[i], kind, float64(n), label)
		}
	}
	for i, d := range distributions {
		if h := d.read(&m); h != nil {
			total, sum, buckets := h.read()
			out <- prometheus.MustNewConstHistogram(c.distributions[i], total, sum, buckets)
		}
	}
	for n := range m.PerQueue {
		for i, q := range perQueue {
			value := q.read(&m.PerQueue[n])
			out <- prometheus.MustNewConstMetric(c.perQueue[i], prometheus.GaugeValue, value, m.PerQueue[n].Name)
		}
	}
	for i, t := range perNode {
		kind := prometheus.GaugeValue
		if t.kind == "counter" {
			kind = prometheus.CounterValue
		}
		t.each(&m, func(value sample, labels ...string) {
			if value.histogram != nil {
				total, sum, buckets := value.histogram.read()
				out <- prometheus.MustNewConstHistogram(c.perNode[i], total, sum, buckets, labels...)
				return
			}
			out <- prometheus.MustNewConstMetric(c.perNode[i], kind, value.number, labels...)
		})
	}
}
