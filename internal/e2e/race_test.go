//go:build race

package e2e

// raceDetector is whether the tests, and so the portal, look for data races.
const raceDetector = true
