//! Vision encoders of Menagerie, registered at link time.
