package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A decoder fills a Config in from text and remembers where each value came
// from, so that whatever is wrong with it later can be said with its place. It
// goes on after an error: all mistakes of a file are reported at once.
//
// It stands in for yaml's own decoding into structs, which knows neither the
// units nor a listener that is just an address, and whose errors name Go types.
type decoder struct {
	cfg     *Config
	origins map[string]string // of a key's path: "entrepot.yaml:7", "ENTREPOT_HTTP", "--http"
	errs    []error
}

// fail notes an error about the value at path.
func (d *decoder) fail(path, format string, args ...any) {
	d.errs = append(d.errs, &Error{Origin: d.origin(path), Key: path, Problem: fmt.Sprintf(format, args...)})
}

// origin is where the value at path was set, or the thing that it is part of.
func (d *decoder) origin(path string) string {
	for {
		if where, ok := d.origins[path]; ok || path == "" {
			return where
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// file reads a YAML document.
func (d *decoder) file(name string, text []byte) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		d.errs = append(d.errs, &Error{Origin: name, Problem: strings.TrimPrefix(err.Error(), "yaml: ")})
		return
	}
	if len(doc.Content) == 0 {
		return // an empty file says nothing
	}
	d.mapping(name, doc.Content[0], "", reflect.ValueOf(d.cfg).Elem())
}

// value reads one node into the field at path.
func (d *decoder) value(file string, node *yaml.Node, path string, v reflect.Value) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	d.origins[path] = fmt.Sprintf("%s:%d", file, node.Line)
	switch v.Kind() {
	case reflect.Slice:
		d.list(file, node, path, v)
	case reflect.Struct:
		if !isText(node) || !d.short(path, node.Value, v) {
			d.mapping(file, node, path, v)
		}
	default:
		if !isText(node) {
			d.fail(path, "wants one value, not %s", kindName(node))
			return
		}
		d.text(path, node.Value, v)
	}
}

// short reads what may stand as text or as a mapping; false: it may not.
func (d *decoder) short(path, text string, v reflect.Value) bool {
	switch to := v.Addr().Interface().(type) {
	case *Listener:
		to.Address = text
	case *Peer:
		peer, err := parsePeer(text)
		if err != nil {
			d.fail(path, "%v", err)
		}
		*to = peer
	default:
		return false
	}
	return true
}

// list reads a sequence; what stands alone is a list of one.
func (d *decoder) list(file string, node *yaml.Node, path string, v reflect.Value) {
	if peers, ok := v.Addr().Interface().(*[]Peer); ok && isText(node) {
		d.peerList(peers, path, node.Value)
		return
	}
	items := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		items = node.Content
	} else if node.Tag == "!!null" {
		items = nil
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		elem := v.Index(i)
		setDefaults(elem)
		d.value(file, item, fmt.Sprintf("%s[%d]", path, i), elem)
	}
}

// setDefaults gives an element of a list what it says when it says nothing.
func setDefaults(elem reflect.Value) {
	switch e := elem.Addr().Interface().(type) {
	case *Listener:
		*e = DefaultListener("")
	case *Policy:
		*e = DefaultPolicy("")
	}
}

// mapping reads keys into the fields of a struct.
func (d *decoder) mapping(file string, node *yaml.Node, path string, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		if node.Tag != "!!null" {
			d.origins[path] = fmt.Sprintf("%s:%d", file, node.Line)
			d.fail(path, "wants keys and values, not %s", kindName(node))
		}
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		at := join(path, key.Value)
		field, ok := fieldOf(v, key.Value)
		switch {
		case !ok:
			d.origins[at] = fmt.Sprintf("%s:%d", file, key.Line)
			d.fail(at, "unknown key%s", suggest(key.Value, keysOf(v.Type())))
		case seen[key.Value]:
			d.origins[at] = fmt.Sprintf("%s:%d", file, key.Line)
			d.fail(at, "stands there twice")
		default:
			d.value(file, node.Content[i+1], at, field)
		}
		seen[key.Value] = true
	}
}

// text reads a single value by the type of its field.
func (d *decoder) text(path, text string, v reflect.Value) {
	var err error
	switch v.Interface().(type) {
	case Size:
		var size Size
		size, err = ParseSize(text)
		v.SetInt(int64(size))
	case time.Duration:
		var span time.Duration
		span, err = ParseDuration(text)
		v.SetInt(int64(span))
	default:
		err = setBasic(text, v)
	}
	if err != nil {
		d.fail(path, "%v", err)
	}
}

// setBasic reads a word, a number or a truth.
func setBasic(text string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		truth, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(truth)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is no whole number from 0 to %d", text, uint64(1)<<(v.Type().Bits()-1)*2-1)
		}
		v.SetUint(n)
	case reflect.String:
		v.SetString(text)
	default:
		panic("config: no text for a " + v.Type().String())
	}
	return nil
}

// fieldOf finds the field with that key.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	i := slices.Index(keysOf(v.Type()), key)
	if i < 0 {
		return reflect.Value{}, false
	}
	return v.Field(i), true
}

// keysOf lists the keys of a struct in the order of its fields.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("yaml")
	}
	return keys
}

func isText(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag != "!!null" }

func kindName(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "keys and values"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case node.Tag == "!!null":
		return "nothing"
	}
	return "a single value"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
