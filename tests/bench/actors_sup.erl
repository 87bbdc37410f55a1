%% The supervisors of actors.erl.
-module(actors_sup).
-behaviour(supervisor).
-export([init/1]).

init({one, Arg}) ->
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1},
        [#{id => child, start => {actors, start_link, [Arg]}}]}};
init({many, Arg}) ->
    {ok, {#{strategy => simple_one_for_one, intensity => 1, period => 1},
        [#{id => child, start => {actors, start_link, [Arg]}}]}}.
