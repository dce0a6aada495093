//! `menagerie instruct`: instruction data from captions and boxes.
