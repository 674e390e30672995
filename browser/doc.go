// Package browser drives headless Chromium for tests: for its own tests, which click through the
// page of the fake Identomat, and for those of examples/webapp. It is a separate module so that
// users of the SDK do not download a browser driver.
//
// If Chromium is not installed, the tests are skipped, or fail if CI or IDENTOMAT_REQUIRE_BROWSER
// is set. Set IDENTOMAT_PICTURES to a directory to keep the screenshots.
package browser
