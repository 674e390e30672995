// Package browser drives headless Chromium for the tests in examples/webapp and for its own
// tests, which click through the fake Identomat's page. It is a separate module so that users of
// the SDK do not download a browser driver.
//
// If Chromium is not installed, the tests are skipped. If CI or IDENTOMAT_REQUIRE_BROWSER is also
// set, they fail instead. Set IDENTOMAT_PICTURES to a directory to keep the screenshots.
package browser
