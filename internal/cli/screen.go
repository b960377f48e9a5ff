package cli

import (
	"os"

	"golang.org/x/term"
)

// plainWidth is the width where there is no terminal.
const plainWidth = 80

// narrowest and widest bound what a terminal may claim to be.
const (
	narrowest = 40
	widest    = 1000
)

// Screen is what the output goes to.
type Screen struct {
	// Terminal reports whether a person watches.
	Terminal bool
	// Colour reports whether trouble may be shown in colour: on a terminal that has colours, unless
	// NO_COLOR is set.
	Colour bool
	// Width is in columns, Height in lines; a height of 0 is not known.
	Width, Height int
}

// ScreenOf looks at a file.
func ScreenOf(file *os.File) Screen {
	descriptor := int(file.Fd())
	if !term.IsTerminal(descriptor) {
		return Screen{Width: plainWidth}
	}
	width, height, err := term.GetSize(descriptor)
	if err != nil || width <= 0 {
		width, height = plainWidth, 0
	}
	colour := colourful(os.Getenv("NO_COLOR"), os.Getenv("TERM"))
	return Screen{Terminal: true, Colour: colour, Width: min(max(width, narrowest), widest), Height: max(height, 0)}
}

// colourful reports whether the environment lets a terminal be written to in colour. See
// no-color.org.
func colourful(noColour, terminal string) bool {
	return noColour == "" && terminal != "" && terminal != "dumb"
}
