"""Small tools that every room uses, and that know no other room."""
