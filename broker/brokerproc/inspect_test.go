package brokerproc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMetricsAreSummedOverLabels(t *testing.T) {
	m, err := parseMetrics(strings.NewReader(`# HELP a b
# TYPE entrepot_closed counter
entrepot_closed{reason="x y"} 2
entrepot_closed{reason="z"} 3.5
entrepot_closed_total 100

`))
	require.NoError(t, err)
	require.Equal(t, 5.5, m.Sum("entrepot_closed"), "a longer name is another metric")
	require.Zero(t, m.Sum("absent"))
}

func TestMetricsWithoutValueAreAnError(t *testing.T) {
	for _, text := range []string{"lonely", "name notanumber"} {
		_, err := parseMetrics(strings.NewReader(text))
		require.Error(t, err, text)
	}
}

func TestRSSIsReadInKibibytes(t *testing.T) {
	rss, err := rssOf(strings.NewReader("Name:\tentrepot\nVmRSS:\t    2048 kB\n"))
	require.NoError(t, err)
	require.EqualValues(t, 2<<20, rss)
	_, err = rssOf(strings.NewReader("Name:\tentrepot\n"))
	require.Error(t, err, "a zombie has no VmRSS")
}
