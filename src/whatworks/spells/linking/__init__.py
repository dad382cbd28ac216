"""What `whatworks.link` is made of: one module per question.

``secret`` (how is an identifier made unreadable?), ``nir`` (is this number one?), ``names`` (what does
a name come down to?), ``people`` (who is there, space by space?), ``keys`` (who shares an identifier?),
``blocking`` (who is worth comparing?), ``comparisons`` and ``scoring`` (how likely is it the same
person?), ``clusters`` (who is who, then?), ``scored`` (and at this threshold?), ``rates`` (how well did
it go, and for whom?) and ``rewriting`` (the records,
person by person).
"""
