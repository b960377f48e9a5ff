package plain

import "reflect"

// deepest bounds how far Scrub goes into a value; the answers of a daemon are nowhere near it.
const deepest = 32

// Scrub cleans every text in a value, which must be given by its address. A field with the tag
// plain:"lines" keeps its line ends, and one with plain:"-" stays as it is: certificates, and the
// document, which is a file of its owner's.
func Scrub(value any) { scrub(reflect.ValueOf(value), "", deepest) }

// cleaner is a text that keeps its words to itself.
type cleaner interface {
	Clean(clean func(string) string)
}

func scrub(v reflect.Value, tag string, depth int) {
	if tag == "-" || depth == 0 {
		return
	}
	if v.CanAddr() {
		if c, cleans := v.Addr().Interface().(cleaner); cleans {
			c.Clean(func(text string) string { return cleaned(text, tag == "lines") })
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			scrub(v.Elem(), tag, depth-1)
		}
	case reflect.String:
		if !v.CanSet() {
			return
		}
		v.SetString(cleaned(v.String(), tag == "lines"))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				scrub(v.Field(i), v.Type().Field(i).Tag.Get("plain"), depth-1)
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			scrub(v.Index(i), tag, depth-1)
		}
	case reflect.Map:
		scrubMap(v, tag, depth)
	}
}

// scrubMap makes the entries anew, since what is in a map cannot be changed there.
func scrubMap(v reflect.Value, tag string, depth int) {
	for _, key := range v.MapKeys() {
		entry, name := reflect.New(v.Type().Elem()).Elem(), reflect.New(v.Type().Key()).Elem()
		entry.Set(v.MapIndex(key))
		name.Set(key)
		scrub(entry, tag, depth-1)
		scrub(name, "", depth-1)
		v.SetMapIndex(key, reflect.Value{})
		v.SetMapIndex(name, entry)
	}
}
