//go:build race

package harness

// RaceDetector says whether the tests and the gateway that they build run with the race detector.
const RaceDetector = true
