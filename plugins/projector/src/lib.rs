//! Projectors of Menagerie, registered at link time.
