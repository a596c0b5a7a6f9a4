package brokerproc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// RSS is the process's resident memory in bytes, as /proc tells.
func (p *Process) RSS() (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return rssOf(f)
}

// rssOf finds "VmRSS:  123 kB" in a /proc/PID/status.
func rssOf(status io.Reader) (int64, error) {
	lines := bufio.NewScanner(status)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS line in the status file")
}

// Metrics is one reading of GET /metrics: series (name and labels, as they are
// written) to value.
type Metrics map[string]float64

// Sum adds up the series of a name, whatever their labels.
func (m Metrics) Sum(name string) float64 {
	var sum float64
	for series, v := range m {
		if base, _, _ := strings.Cut(series, "{"); base == name {
			sum += v
		}
	}
	return sum
}

// Metrics reads GET /metrics.
func (p *Process) Metrics(ctx context.Context) (Metrics, error) {
	body, err := p.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return parseMetrics(body)
}

// get asks the broker's HTTP side. Whatever is not 200 is an error.
func (p *Process) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTP+path, nil)
	if err != nil {
		return nil, err
	}
	if p.User != "" {
		req.SetBasicAuth(p.User, p.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what there is of it helps
		_ = resp.Body.Close()
		return nil, fmt.Errorf("GET %s: %s: %s", path, resp.Status, strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}

// parseMetrics reads the text format of Prometheus, as far as a sum over
// series needs it: lines of "series value", the rest is comment.
func parseMetrics(r io.Reader) (Metrics, error) {
	m := Metrics{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("metrics: no value in %q", line)
		}
		v, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		m[line[:cut]] = v
	}
	return m, lines.Err()
}
