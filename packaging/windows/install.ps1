<#
.SYNOPSIS
Installs falcon-agent as the service OpenFalconAgent, or brings an installation up to date, without a question.

.DESCRIPTION
Does what the MSI does, for those who copy files. It needs falcon-agent.exe beside it, administrator rights and PowerShell 2.0
or later. The values are written into the cfg.json that is made at a first installation; one that is there already stays as
it is. An older agent (the Python agent, windows-agent under nssm) is taken over with its configuration.

The files are put into Program Files\falcon-agent, where administrators alone can change them. An agent that is installed, in
whatever directory, is stopped, and the service runs the new executable. It is started if it ran or starts with the system. If
the new executable does not install, the old one is put back and started if it ran.

Use either the MSI or this script on a host, not both.

.PARAMETER Transfer
Addresses of the transfers: HOST:PORT,HOST:PORT
.PARAMETER Hbs
Addresses of the heartbeat servers: HOST:PORT,HOST:PORT
.PARAMETER Endpoint
The name of this host for Open-Falcon; without one it is the host's name.
.PARAMETER Listen
Where pushes are taken: HOST:PORT or :PORT
.PARAMETER Interval
Seconds from one collection to the next.
.PARAMETER Tags
Tags of every metric: NAME=VALUE,NAME=VALUE
.PARAMETER NoStart
Leave the service stopped.
.PARAMETER DataDir
Where configuration, logs and queue are at a first installation.
.PARAMETER Uninstall
Remove the service and the executable. Configuration, logs and queue stay.

.EXAMPLE
powershell -NoProfile -ExecutionPolicy Bypass -File install.ps1 -Transfer 10.0.0.1:8433,10.0.0.2:8433 -Hbs 10.0.0.1:6030

.NOTES
Exit codes: 0 done (a service that does not start is told and is no failure), 1 failed and put back, 2 a value that cannot be
used, 5 no administrator; those of falcon-agent's own verbs otherwise.
#>
param(
    [string[]]$Transfer = @(),
    [string[]]$Hbs = @(),
    [string]$Endpoint = '',
    [string]$Listen = '',
    [string]$Interval = '',
    [string[]]$Tags = @(),
    [switch]$NoStart,
    [string]$DataDir = '',
    [switch]$Uninstall
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$service = 'HKLM:\SYSTEM\CurrentControlSet\Services\OpenFalconAgent'
$names = @('falcon-agent.exe', 'cfg.example.json', 'README.md', 'README.zh-CN.md', 'CHANGELOG.md', 'LICENSE', 'docs', 'examples')
# Of falcon-agent upgrade.
$left = @('falcon-agent.old.exe', 'falcon-agent.new.exe', 'falcon-agent.failed.exe', 'falcon-agent.unproven')

# Runs a verb; its words are shown, its exit code is the answer.
function Invoke-Agent([string]$exe, [string[]]$arguments) {
    & $exe $arguments | Out-Host
    return $LASTEXITCODE
}

function Remove-Agent {
    $exe = $target
    if (-not (Test-Path -LiteralPath $exe)) { $exe = $source }
    if (-not (Test-Path -LiteralPath $exe)) {
        Write-Host "There is no falcon-agent.exe in $folder or beside this script."
        return 1
    }
    $code = Invoke-Agent $exe @('uninstall')
    if (($code -ne 0) -or ($here -eq $folder)) { return $code }
    foreach ($name in ($names + $left)) {
        $file = Join-Path $folder $name
        if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Recurse -Force }
    }
    if ((Test-Path -LiteralPath $folder) -and -not (Get-ChildItem -LiteralPath $folder -Force)) {
        Remove-Item -LiteralPath $folder -Force
    }
    return 0
}

# Answers the exit code of the new executable's install; what failed is put back.
function Install-Files([string[]]$arguments) {
    $replaced = $false
    $copied = $false
    try {
        if ($here -ne $folder) {
            if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder) }
            if (Test-Path -LiteralPath $target) {
                if (Test-Path -LiteralPath $old) { Remove-Item -LiteralPath $old -Force }
                Move-Item -LiteralPath $target -Destination $old
                $replaced = $true
            }
            $copied = $true
            foreach ($name in $names) {
                $file = Join-Path $here $name
                if (Test-Path -LiteralPath $file) { Copy-Item -LiteralPath $file -Destination $folder -Recurse -Force }
            }
        }
        $code = Invoke-Agent $target $arguments
    } catch {
        Write-Host $_.Exception.Message
        $code = 1
    }
    if (($code -ne 0) -and $copied) {
        if (Test-Path -LiteralPath $target) { Remove-Item -LiteralPath $target -Force }
        if ($replaced) {
            Move-Item -LiteralPath $old -Destination $target
            Write-Host "The executable of before is back in $folder."
        }
    }
    return $code
}

function Install-Agent {
    if (-not (Test-Path -LiteralPath $source)) {
        Write-Host "falcon-agent.exe is missing beside this script, in $here."
        return 1
    }
    # What is registered now: of another agent nothing here is asked or stopped, install itself does that.
    $automatic = $true
    $ran = $false
    if (Test-Path -LiteralPath $service) {
        $properties = Get-ItemProperty -LiteralPath $service
        if ([string]$properties.ImagePath -like '*falcon-agent.exe*') {
            $automatic = ([int]$properties.Start -eq 2)
            $ran = ((Invoke-Agent $source @('status')) -eq 0)
            [void](Invoke-Agent $source @('stop'))
        }
    }
    $code = 1
    try {
        $code = Install-Files (@('install', ('--first-config=' + (Join-Path $DataDir 'cfg.json'))) + $options)
    } finally {
        # With whatever is registered.
        if (($code -ne 0) -and $ran) {
            $exe = $source
            if (Test-Path -LiteralPath $target) { $exe = $target }
            [void](Invoke-Agent $exe @('start'))
        }
    }
    if ($code -ne 0) { return $code }
    if (($automatic -or $ran) -and -not $NoStart) {
        $started = Invoke-Agent $target @('start')
        if ($started -ne 0) { Write-Host 'The service is installed and does not run yet: see logs\agent.log beside its cfg.json.' }
    }
    if (($here -ne $folder) -and (Test-Path -LiteralPath $old)) {
        try { Remove-Item -LiteralPath $old -Force } catch { Write-Host "The executable of before is left: $($_.Exception.Message)" }
    }
    return 0
}

# An error that nobody caught would end PowerShell 2.0 with 0.
$code = 1
try {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal($identity)
    $isAdministrator = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)

    # Of a 64-bit Windows, for a PowerShell of 32 bits as well.
    $programs = $env:ProgramW6432
    if (-not $programs) { $programs = $env:ProgramFiles }
    $folder = Join-Path $programs 'falcon-agent'
    if (-not $DataDir) { $DataDir = Join-Path $env:ProgramData 'falcon-agent' }
    if ($DataDir.Length -gt 3) { $DataDir = $DataDir.TrimEnd('\') }
    $here = Split-Path -Parent $MyInvocation.MyCommand.Path
    $source = Join-Path $here 'falcon-agent.exe'
    $target = Join-Path $folder 'falcon-agent.exe'
    $old = Join-Path $folder 'falcon-agent.old.exe'

    # A list without quotes is an array at a prompt, and a text for powershell -File.
    $values = @(
        '--transfer', ($Transfer -join ','),
        '--hbs', ($Hbs -join ','),
        '--endpoint', $Endpoint,
        '--listen', $Listen,
        '--interval', $Interval,
        '--tags', ($Tags -join ',')
    )
    # Each in one word: a value that begins with a dash is none of its own.
    $options = @()
    for ($i = 0; $i -lt $values.Count; $i += 2) {
        if ($values[$i + 1]) { $options += ($values[$i] + '=' + $values[$i + 1]) }
    }
    # What a native program is given is put in quotes where it has a blank; PowerShell escapes nothing in it.
    $wrong = @(($options + $DataDir) | Where-Object { $_.Contains('"') -or $_.EndsWith('\') })

    if (-not $isAdministrator) {
        Write-Host 'This needs administrator rights: open PowerShell with "Run as administrator" and give the command again.'
        $code = 5
    } elseif ($wrong.Count -gt 0) {
        Write-Host "A value must not have a quotation mark in it, or a backslash at its end: $($wrong[0])"
        $code = 2
    } elseif ($Uninstall) {
        $code = Remove-Agent
    } else {
        $code = Install-Agent
    }
} catch {
    Write-Host $_.Exception.Message
    $code = 1
}
exit $code
