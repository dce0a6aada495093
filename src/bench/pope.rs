//! POPE.
