//! Language decoders of Menagerie, registered at link time.
