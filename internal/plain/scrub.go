package plain

import "reflect"

// deepest bounds how far Scrub goes into a value; the answers of a daemon are nowhere near it.
const deepest = 32

// Scrub cleans every text in a value, which must be given by its address. A field with the tag
// plain:"lines" keeps its line ends, and one with plain:"-" stays as it is: certificates, and the
// document, which is a file of its owner's.
func Scrub(value any) {
	walk(reflect.ValueOf(value), "", deepest, func(text, tag string) string { return cleaned(text, tag == "lines") })
}

// Each puts every text in a value through a function, except what has the tag plain:"-". The value
// must be given by its address.
func Each(value any, change func(string) string) {
	walk(reflect.ValueOf(value), "", deepest, func(text, _ string) string { return change(text) })
}

// cleaner is a text that keeps its words to itself.
type cleaner interface {
	Clean(clean func(string) string)
}

func walk(v reflect.Value, tag string, depth int, change func(text, tag string) string) {
	if tag == "-" || depth == 0 {
		return
	}
	if v.CanAddr() {
		if c, cleans := v.Addr().Interface().(cleaner); cleans {
			c.Clean(func(text string) string { return change(text, tag) })
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			walk(v.Elem(), tag, depth-1, change)
		}
	case reflect.String:
		if !v.CanSet() {
			return
		}
		v.SetString(change(v.String(), tag))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i), v.Type().Field(i).Tag.Get("plain"), depth-1, change)
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), tag, depth-1, change)
		}
	case reflect.Map:
		walkMap(v, tag, depth, change)
	}
}

// walkMap makes the entries anew, since what is in a map cannot be changed there.
func walkMap(v reflect.Value, tag string, depth int, change func(text, tag string) string) {
	for _, key := range v.MapKeys() {
		entry, name := reflect.New(v.Type().Elem()).Elem(), reflect.New(v.Type().Key()).Elem()
		entry.Set(v.MapIndex(key))
		name.Set(key)
		walk(entry, tag, depth-1, change)
		walk(name, "", depth-1, change)
		v.SetMapIndex(key, reflect.Value{})
		v.SetMapIndex(name, entry)
	}
}
