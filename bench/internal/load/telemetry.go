package load

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// sensors are what a device of the telemetry measures, with unit, mean and spread.
var sensors = []struct {
	name, unit   string
	mean, spread float64
}{
	{"temperature", "C", 21, 4}, {"humidity", "%RH", 45, 10}, {"pressure", "hPa", 1013, 8},
	{"battery", "V", 3.6, 0.2}, {"rssi", "dBm", -70, 12}, {"co2", "ppm", 600, 150},
}

// appendTelemetry appends exactly size bytes of a report of a device:
//
//	{"tenant":"acme","device":"sensor-04711","ts":1763822400123,"firmware":"2.14.1",
//	 "readings":[{"name":"temperature","value":21.53,"unit":"C","t":0},...],"trace":"9f3a..."}
//
// Names repeat within and between reports, numbers do not, and the trace, which
// fills up to size, is random hexadecimal digits: no more regular than real ones.
// Where not even that fits, it is digits only.
func appendTelemetry(b []byte, size, n int, random *rand.Rand) []byte {
	var text strings.Builder
	fmt.Fprintf(&text, `{"tenant":"acme","device":"sensor-%05d","ts":%d,"firmware":"2.14.%d","readings":[`,
		random.IntN(20_000), 1_763_822_400_000+int64(n)*37, random.IntN(4))
	const longestReading, end = 72, len(`],"trace":""}`)
	for i := 0; text.Len()+longestReading+end+16 <= size; i++ {
		if i > 0 {
			text.WriteByte(',')
		}
		s := sensors[i%len(sensors)]
		fmt.Fprintf(&text, `{"name":%q,"value":%.2f,"unit":%q,"t":%d}`, s.name, s.mean+random.NormFloat64()*s.spread, s.unit, i/len(sensors)*1000)
	}
	digits := size - text.Len() - end
	if digits < 0 {
		return append(b, hexDigits(size, random)...)
	}
	b = append(b, text.String()...)
	return fmt.Appendf(b, `],"trace":"%s"}`, hexDigits(digits, random))
}

func hexDigits(n int, random *rand.Rand) []byte {
	digits := make([]byte, n)
	for i := range digits {
		digits[i] = "0123456789abcdef"[random.IntN(16)]
	}
	return digits
}
