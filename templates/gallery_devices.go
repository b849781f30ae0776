package templates

// devicesStates are the gallery's states of phones of others.
func devicesStates(_ Frame) []GalleryState {
	return nil
}
