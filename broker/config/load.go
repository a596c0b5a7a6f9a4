package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Error is one thing that is wrong with the configuration.
type Error struct {
	Origin  string // where it was said: "entrepot.yaml:7", "ENTREPOT_HTTP", "--http"; empty for a default
	Key     string // path of the setting: "limits.max_bytes"; empty if the file as a whole can't be read
	Problem string
}

// Error puts the place first, as compilers do.
func (e *Error) Error() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{e.Origin, e.Key, e.Problem} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Setting is a value given outside of the file.
type Setting struct {
	Key    string   // path of the setting: "limits.max_bytes"
	Origin string   // how the user gave it: "--http", "ENTREPOT_HTTP"
	Values []string // one, or for a list any number
}

// Load puts a configuration together: the defaults, the file of that name
// (none if it is empty), the ENTREPOT_* variables of environ (as os.Environ
// gives them), the flags; and checks the whole. The error joins every *Error
// that was found.
func Load(file string, environ []string, flags []Setting) (Config, error) {
	cfg := Default()
	d := &decoder{cfg: &cfg, origins: map[string]string{}}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return cfg, fmt.Errorf("configuration: %w", err)
		}
		d.file(filepath.Base(file), text)
	}
	for _, s := range append(d.environment(environ), flags...) {
		d.setting(s)
	}
	// What could not be read would only be reported a second time.
	if len(d.errs) == 0 {
		d.validate()
	}
	return cfg, errors.Join(d.errs...)
}

// setting applies a value that came from outside of the file.
func (d *decoder) setting(s Setting) {
	v := reflect.ValueOf(d.cfg).Elem()
	for _, key := range strings.Split(s.Key, ".") {
		field, ok := fieldOf(v, key)
		if !ok {
			panic("config: no setting " + s.Key)
		}
		v = field
	}
	d.origins[s.Key] = s.Origin
	switch s.Key {
	case "amqp":
		d.addresses(s.Values)
		return
	case "cluster.peers":
		d.peerList(&d.cfg.Cluster.Peers, s.Key, strings.Join(s.Values, ","))
		return
	}
	d.text(s.Key, s.Values[len(s.Values)-1], v)
}

// addresses replaces the listeners. One that the file describes too keeps what
// the file says of it.
func (d *decoder) addresses(list []string) {
	described := d.cfg.AMQP
	d.cfg.AMQP = nil
	for _, address := range list {
		listener := DefaultListener(address)
		if i := slices.IndexFunc(described, func(l Listener) bool { return l.Address == address }); i >= 0 {
			listener = described[i]
		}
		d.cfg.AMQP = append(d.cfg.AMQP, listener)
	}
	d.forget("amqp[")
}

// peerList reads "n1=HOST:PORT,n2=HOST:PORT".
func (d *decoder) peerList(to *[]Peer, path, text string) {
	d.forget(path + "[")
	*to = nil
	for _, part := range splitList(text) {
		peer, err := parsePeer(part)
		if err != nil {
			d.fail(path, "%v", err)
		}
		*to = append(*to, peer)
	}
}

// splitList takes apart what commas or spaces separate.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// forget drops the places of settings that no longer count.
func (d *decoder) forget(prefix string) {
	for path := range d.origins {
		if strings.HasPrefix(path, prefix) {
			delete(d.origins, path)
		}
	}
}

// textLists are the lists that can stand outside of the file too, separated by
// commas: their elements can be written as text.
var textLists = []string{"amqp", "cluster.peers"}

const envPrefix = "ENTREPOT_"

// clientVariables are read by the commands that talk to a broker, and the
// first one by "serve" itself before there is a configuration.
var clientVariables = []string{"ENTREPOT_CONFIG", "ENTREPOT_URL", "ENTREPOT_USER", "ENTREPOT_PASSWORD"}

// environment turns variables into settings. One that begins with ENTREPOT_
// and is no setting is an error, as in the file.
func (d *decoder) environment(environ []string) []Setting {
	known := slices.Clone(clientVariables)
	keyOf := map[string]string{}
	for _, key := range Keys() {
		known = append(known, Variable(key))
		keyOf[Variable(key)] = key
	}
	var settings []Setting
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(clientVariables, name) || fromKubernetes(name) {
			continue
		}
		key, ok := keyOf[name]
		if !ok {
			d.errs = append(d.errs, &Error{Origin: name, Problem: "unknown variable" + suggest(name, known)})
			continue
		}
		values := []string{value}
		if slices.Contains(textLists, key) {
			values = splitList(value)
		}
		settings = append(settings, Setting{Key: key, Origin: name, Values: values})
	}
	return settings
}

// fromKubernetes tells the variables that Kubernetes puts into every container
// beside a Service named "entrepot".
func fromKubernetes(name string) bool {
	return name == "ENTREPOT_PORT" || strings.HasPrefix(name, "ENTREPOT_PORT_") || strings.HasPrefix(name, "ENTREPOT_SERVICE_")
}

// Variable is the name of the environment variable for a key.
func Variable(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// Keys lists the settings that have an environment variable: the single
// values, by path, and the lists of texts. Users and policies are lists of
// mappings and stand in the file alone.
func Keys() []string {
	var keys []string
	var walk func(path string, t reflect.Type)
	walk = func(path string, t reflect.Type) {
		for i, key := range keysOf(t) {
			at, field := join(path, key), t.Field(i).Type
			switch {
			case field.Kind() == reflect.Struct:
				walk(at, field)
			case field.Kind() != reflect.Slice, slices.Contains(textLists, at):
				keys = append(keys, at)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return keys
}

// suggest names the known word that was most likely meant, or all of them.
func suggest(word string, known []string) string {
	best, least := "", 3 // more than two typing errors are another word
	for _, k := range known {
		if distance := editDistance(word, k); distance < least {
			best, least = k, distance
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; known are " + strings.Join(known, ", ")
}

// editDistance is how many letters must be put in, taken out or changed to
// make b of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
